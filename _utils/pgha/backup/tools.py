"""PostgreSQL's own tools, run in throwaway containers of the image that the servers run.

So client and server are of one version, and the master needs nothing but Docker. A container has
the name of the run it belongs to; the next run removes what a killed one left.
"""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from pgha.errors import FailedError, PghaError, UnreachableError
from pgha.node.docker import Docker
from pgha.node.facts import archive
from pgha.render.places import POSTGRES

LABEL = "pgha.backup"
STALLED_AFTER_S = 900.0
"""Nothing for so long: the source hangs. pg_dump is silent only while it reads the catalogues."""
CHUNK = 256 * 1024
LOOK_EVERY_S = 0.1

ENDED_BY_DOCKER = 125
"""Docker's exit status when the container could not even be started (docker-run(1))."""


class ToolError(FailedError):
    """A tool ended with an error; ``said`` is the last line it wrote about it."""

    def __init__(self, tool: str, said: str) -> None:
        self.tool = tool
        self.said = said
        super().__init__(f"{tool} failed: {said}")


class DockerError(UnreachableError):
    """Docker on the master does not do its part; another source would not help."""


@dataclass(frozen=True)
class Tools:
    """Where tools run.

    Args:
        image: the patroni image.
        owner: value of the label, the cluster's name.
        mounts: ``{path on the master: (path in the container, "ro" or "rw")}``.
    """

    image: str
    owner: str
    mounts: Mapping[Path, tuple[str, str]] = field(default_factory=dict)

    def with_mount(self, path: Path, inside: str, mode: str = "rw") -> Tools:
        """The same with one more folder of the master."""
        return replace(self, mounts={**self.mounts, path: (inside, mode)})

    def command(self, tool: Sequence[str], *, interactive: bool = False) -> list[str]:
        """``docker run`` of one tool on the master's own network; nothing is logged or kept."""
        return [
            "docker", "run", "--rm", *(["--interactive"] if interactive else []),
            "--network", "host", *self.fences(),
            "--entrypoint", tool[0], self.image, *tool[1:],
        ]  # fmt: skip

    def fences(self) -> list[str]:
        """What every container of a run has: its label, its mounts, and as few rights as it can."""
        volumes = [f"{path}:{inside}:{mode}" for path, (inside, mode) in self.mounts.items()]
        return [
            "--label", f"{LABEL}={self.owner}", "--log-driver", "none", "--pull", "never",
            "--user", f"{POSTGRES}:{POSTGRES}", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges:true", "--tmpfs", "/tmp:mode=1777",  # noqa: S108
            *(part for volume in volumes for part in ("--volume", volume)),
        ]  # fmt: skip

    def remove_stale(self) -> None:
        """Remove the containers of killed runs; only for the holder of the backup lock."""
        listing = ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={self.owner}"]
        for container in output(listing).split():
            with suppress(PghaError):
                output(["docker", "rm", "--force", "--volumes", container])


def ensure_image(reference: str, docker: Docker | None = None) -> None:
    """Have the image in the master's Docker, as the servers have it: loaded or pulled.

    Raises:
        UnreachableError, RefusedError: it is nowhere, or Docker does not answer.
    """
    docker = docker or Docker()
    if docker.image_ids([reference])[reference]:
        return
    path = archive(reference)
    if path.exists():
        docker.load(path)
    else:
        docker.pull(reference)


def output(command: Sequence[str], *, timeout_s: float = 60, stdin: str = "") -> str:
    """The standard output of a command that ends soon.

    Raises:
        ToolError: it failed. UnreachableError: there is no Docker, or it does not answer.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=timeout_s, check=False, input=stdin.encode()
        )
    except FileNotFoundError as error:
        raise _no_docker() from error
    except subprocess.TimeoutExpired as error:
        raise DockerError(
            f"Docker on the Salt master did not answer `{command[1]}` within {timeout_s:g} s; "
            "see `systemctl status docker` there."
        ) from error
    if done.returncode:
        raise _failure(command, done.returncode, done.stderr)
    return done.stdout.decode(errors="replace")


def stream_out(
    command: Sequence[str],
    pipe: Path,
    sink: Callable[[bytes], None],
    *,
    stalled_after_s: float = STALLED_AFTER_S,
) -> None:
    """Run a command that writes into a named pipe once, and hand what comes to ``sink``.

    A pipe that the container mounts, because its standard output passes through three processes of
    Docker, which costs as much as a fifth of the compression (docs/adr/0006).

    Raises:
        ToolError: it failed, or wrote nothing for ``stalled_after_s``.
    """
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with _running(command, stdin=subprocess.DEVNULL) as (process, said):
            for chunk in _chunks(reader, process, stalled_after_s):
                sink(chunk)
            if process.wait():
                raise _failure(command, process.returncode, said())
    finally:
        os.close(reader)


def run(command: Sequence[str]) -> None:
    """Run a command to its end, however long it takes; raises ToolError when it failed."""
    with _running(command, stdin=subprocess.DEVNULL) as (process, said):
        if process.wait():
            raise _failure(command, process.returncode, said())


def stream_in(command: Sequence[str], source: Iterable[bytes]) -> None:
    """Run a command and feed it from ``source``; its standard output is dropped.

    Raises:
        ToolError: it failed.
    """
    with _running(command, stdin=subprocess.PIPE) as (process, said):
        assert process.stdin is not None
        # A tool that fails closes its end; why it failed is what it wrote, not the broken pipe.
        with suppress(BrokenPipeError):
            for chunk in source:
                process.stdin.write(chunk)
            process.stdin.close()
        if process.wait():
            raise _failure(command, process.returncode, said())


@contextmanager
def _running(
    command: Sequence[str], *, stdin: int
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], bytes]]]:
    """The process and a way to read what it wrote on standard error; killed if the block fails."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=errors
            )
        except FileNotFoundError as error:
            raise _no_docker() from error

        def said() -> bytes:
            size = os.fstat(errors.fileno()).st_size
            return os.pread(errors.fileno(), 4096, max(0, size - 4096))

        try:
            yield process, said
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdin is not None:
                with suppress(BrokenPipeError):
                    process.stdin.close()


def _chunks(
    reader: int, process: subprocess.Popen[bytes], stalled_after_s: float
) -> Iterator[bytes]:
    heard = time.monotonic()
    while True:
        # Asked before reading: what ended may have written its last bytes just before.
        ended = process.poll() is not None
        ready, _, _ = select.select([reader], [], [], 0 if ended else LOOK_EVERY_S)
        chunk = os.read(reader, CHUNK) if ready else None
        if chunk:
            heard = time.monotonic()
            yield chunk
        elif chunk is not None or ended:  # closed by the writer, or never opened
            return
        elif time.monotonic() - heard > stalled_after_s:
            raise ToolError(
                _tool(process.args),  # type: ignore[arg-type]
                f"the source sent nothing for {stalled_after_s:.0f} s",
            )


def _failure(command: Sequence[str], code: int, said: bytes) -> PghaError:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    if code == ENDED_BY_DOCKER and command[0] == "docker":
        return DockerError(
            f"Docker on the Salt master could not start a container: {_last(lines)}. The image "
            "must be there (`docker images`), as on the servers."
        )
    return ToolError(_tool(command), _first_error(lines))


def _first_error(lines: Sequence[str]) -> str:
    """The line that says why; what follows it is context, which may hold data."""
    wrong = [line for line in lines if "error:" in line.lower() or "fatal:" in line.lower()]
    return (wrong or [_last(lines)])[0].rstrip(".")


def _last(lines: Sequence[str]) -> str:
    return lines[-1].rstrip(".") if lines else "it said nothing"


def _tool(command: Sequence[str]) -> str:
    if "--entrypoint" in command:
        return command[command.index("--entrypoint") + 1]
    return next((part for part in command if part.startswith(("pg_", "psql"))), command[0])


def _no_docker() -> DockerError:
    return DockerError(
        "there is no docker command on the Salt master, and backups run PostgreSQL's tools in "
        "containers there; install Docker and run again"
    )
