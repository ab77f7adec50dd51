"""A container of these tests: named, labelled, and gone by itself if nobody removes it."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LABEL = f"pgha.compat={hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"
LIFETIME_S = 900
"""A run that was killed leaves a container behind for no longer."""
COMMAND_S = 120


@dataclass(frozen=True)
class Container:
    name: str

    @classmethod
    def start(cls, image: str, name: str) -> Container:
        started = cls(f"pgha-compat-{name}-{uuid.uuid4().hex[:6]}")
        docker(
            "run", "--detach", "--rm", "--init", "--name", started.name, "--label", LABEL,
            "--shm-size", "128m", image, "sleep", str(LIFETIME_S),
        )  # fmt: skip
        return started

    @cached_property
    def address(self) -> str:
        form = "{{.NetworkSettings.IPAddress}}"
        return docker("inspect", "--format", form, self.name).strip()

    def write(self, directory: str, files: Mapping[str, str]) -> None:
        """Put files, readable by the container's user only, below a directory."""
        user, group = map(int, self.run("sh", "-c", "id -u; id -g").split())
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, content in files.items():
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(content.encode()), 0o600
                entry.uid, entry.gid = user, group
                tar.addfile(entry, io.BytesIO(content.encode()))
        self.run("mkdir", "-p", *{str(Path(directory, path).parent) for path in files})
        docker("cp", "-", f"{self.name}:{directory}", content=archive.getvalue())

    def run(self, *command: str, content: str = "") -> str:
        """Output of a command; AssertionError with everything it said when it fails."""
        return docker("exec", "--interactive", self.name, *command, content=content.encode())

    def start_process(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """A process in the background; what it says is in the file ``name`` with ``.log``."""
        given = [f"--env={key}={value}" for key, value in (environment or {}).items()]
        script = 'name=$1; shift; echo $$ >"$name.pid"; exec "$@" >>"$name.log" 2>&1'
        docker("exec", "--detach", *given, self.name, "sh", "-c", script, "sh", name, *command)

    def signal(self, name: str, signal: str) -> None:
        """Signal a process that `start_process` started."""
        self.run("sh", "-c", f'kill -{signal} "$(cat {name}.pid)"')

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name)


def remove_leftovers() -> None:
    """Containers of an earlier run of this checkout that was killed."""
    found = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}").split()
    if found:
        docker("rm", "--force", "--volumes", *found)


def docker(*arguments: str, content: bytes = b"") -> str:
    done = subprocess.run(
        ["docker", *arguments], input=content, capture_output=True, timeout=COMMAND_S, check=False
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{said}"
    return done.stdout.decode()
