"""What Docker on this server says: containers, images, networks; and the few things we ask of it.

The command line client is used, not the socket: it is what operators have, it speaks every
version of the API that the engine accepts, and it is there wherever Coolify manages a server.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pgha.errors import (
    FailedError,
    NotFoundError,
    PghaError,
    RefusedError,
    TimedOutError,
    UnreachableError,
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ATTEMPTS = 3
END = "\npgha: this is the end\n"
"""What `run_tool` looks for at the end of a tool's output."""
_MARKED = f"\"$@\"; status=$?; printf '%s' '{END}'; exit $status"
STACK_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
RESOURCE_LABEL = "coolify.resourceName"
RESTART_GRACE_S = 30


@dataclass(frozen=True)
class Container:
    """One container of a Coolify stack on this server."""

    name: str
    service: str
    stack: str
    state: str
    status: str
    image: str
    id: str = ""

    @property
    def is_running(self) -> bool:
        return self.state == "running"


class Docker:
    """The engine of this server, asked through ``docker``.

    Raises :class:`UnreachableError` when the engine does not answer, :class:`NotFoundError` when
    there is no ``docker`` command, :class:`TimedOutError` after ``timeout_s`` seconds,
    :class:`RefusedError` for its own errors.
    """

    def __init__(self, *, run: Run = subprocess.run, timeout_s: float = 20) -> None:
        self._run = run
        self._timeout_s = timeout_s

    def version(self) -> str:
        """The engine's version, for example ``26.1.5``."""
        return self._call("version", "--format", "{{.Server.Version}}").strip()

    def containers(self) -> list[Container]:
        """Every container that Coolify manages here, running or not."""
        output = self._call(
            "ps", "--all", "--no-trunc", "--filter", "label=coolify.managed=true",
            "--format", "{{json .}}",
        )  # fmt: skip
        return [_container(json.loads(line)) for line in output.splitlines() if line]

    def image_ids(self, references: Sequence[str]) -> dict[str, str | None]:
        """Map each image reference to its id, ``None`` when the engine does not have it."""
        return {reference: self._image_id(reference) for reference in references}

    def load(self, tar: Path) -> None:
        """Load an image archive written by ``docker save`` (gzip accepted by Docker itself)."""
        self._call("load", "--quiet", "--input", str(tar), timeout_s=300)

    def pull(self, reference: str, timeout_s: float = 600) -> None:
        """Pull an image; bounded to ten minutes, the limit after which Coolify gives up too."""
        self._call("pull", "--quiet", reference, timeout_s=timeout_s)

    def networks(self) -> dict[str, list[str]]:
        """Map the name of each bridge network to its subnets."""
        names = self._call("network", "ls", "--filter", "driver=bridge", "--format", "{{.Name}}")
        if not names.split():
            return {}
        details = json.loads(self._call("network", "inspect", *names.split()))
        return {entry["Name"]: _subnets(entry) for entry in details}

    def signal(self, container: str, signal: str) -> None:
        """Send a signal to the first process of a container, as its own user.

        Not with `docker kill`: that marks the container as stopped by hand, whatever the signal,
        and `unless-stopped` then does not start it again after a power loss (moby 26,
        daemon/kill.go, HasBeenManuallyStopped).
        """
        self._call("exec", container, "sh", "-c", f"kill -{signal} 1")

    def stop(self, container: str, grace_s: int) -> None:
        """Stop a container; one that does not end within the grace is killed."""
        self._call("stop", "--time", str(grace_s), container, timeout_s=grace_s + 30)

    def run_tool(
        self, image: str, directory: str, mounted_at: str, *command: str, timeout_s: float = 120
    ) -> str:
        """Run a command of an image that can only read one directory; its standard output.

        A busy Docker may not start a container, or lose what one prints that ends at once (both
        seen with 20.10; the latter with exit status 0), so the end is marked, and looked for.

        Raises:
            FailedError: the output is incomplete, three times.
            RefusedError: the command failed, three times.
        """
        arguments = (
            "run", "--rm", "--pull", "never", "--network", "none", "--read-only",
            "--cap-drop", "ALL", "--volume", f"{directory}:{mounted_at}:ro",
            "--entrypoint", "sh", image, "-c", _MARKED, "sh", *command,
        )  # fmt: skip
        problem: PghaError = FailedError(
            f"docker run lost what a tool of {image} printed; see `journalctl -u docker` on this "
            "server and run again"
        )
        for _ in range(ATTEMPTS):
            try:
                output = self._call(*arguments, timeout_s=timeout_s)
            except RefusedError as error:
                problem = error
                continue
            if output.endswith(END):
                return output.removesuffix(END)
        raise problem

    def started_at(self, container: str) -> float:
        """When a container was last started, in seconds since the epoch."""
        text = self._call("inspect", "--format", "{{.State.StartedAt}}", container).strip()
        seconds, _, fraction = text.rstrip("Z").partition(".")
        # Docker drops trailing zeros, and Python reads no more than microseconds.
        return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}+00:00").timestamp()

    def restart(self, container: str, grace_s: int = RESTART_GRACE_S) -> None:
        """Stop a container's process, within ``grace_s`` seconds, and start it again."""
        self._call("restart", "-t", str(grace_s), container, timeout_s=grace_s + 30)

    def exec(self, container: str, *command: str) -> str:
        """Run a command in a running container and return its standard output."""
        return self._call("exec", container, *command)

    def _image_id(self, reference: str) -> str | None:
        done = self._start("image", "inspect", "--format", "{{.Id}}", reference)
        return done.stdout.strip() if done.returncode == 0 else None

    def _call(self, *arguments: str, timeout_s: float | None = None) -> str:
        done = self._start(*arguments, timeout_s=timeout_s)
        if done.returncode != 0:
            raise _failure(arguments, done.stderr.strip())
        return done.stdout

    def _start(
        self, *arguments: str, timeout_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        limit = timeout_s or self._timeout_s
        try:
            return self._run(
                ["docker", *arguments], capture_output=True, text=True, timeout=limit, check=False
            )
        except FileNotFoundError as error:
            raise NotFoundError(
                "there is no docker command on this server; let Coolify validate the server, "
                "which installs Docker"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise TimedOutError(
                f"docker {arguments[0]} did not end within {limit:g} s; "
                "see `systemctl status docker` on this server"
            ) from error


def _failure(arguments: Sequence[str], message: str) -> Exception:
    first = message.splitlines()[0] if message else "no message"
    if "Cannot connect to the Docker daemon" in message:
        return UnreachableError(
            "the Docker daemon on this server does not answer; start it and run again"
        )
    return RefusedError(f"docker {arguments[0]} failed: {first}")


def _container(entry: dict[str, Any]) -> Container:
    labels = dict(pair.split("=", 1) for pair in entry.get("Labels", "").split(",") if "=" in pair)
    return Container(
        name=entry["Names"],
        service=labels.get(SERVICE_LABEL, ""),
        stack=labels.get(RESOURCE_LABEL, ""),
        state=entry["State"],
        status=entry["Status"],
        image=entry["Image"],
        id=entry.get("ID", ""),
    )


def _subnets(entry: dict[str, Any]) -> list[str]:
    configured = (entry.get("IPAM") or {}).get("Config") or []
    return [part["Subnet"] for part in configured if part.get("Subnet")]
