"""Scripts over OpenSSH, one shared connection per server, known host keys only."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from ..store.database import Row
from .base import UNREACHABLE, Completed

TIMED_OUT = 124


class SshHost:
    """`key` and `known_hosts` come from the seed file; `control_dir` must be a short path."""

    def __init__(self, key: Path, known_hosts: Path, control_dir: Path) -> None:
        self._key, self._known_hosts, self._control_dir = key, known_hosts, control_dir

    async def run(self, server: Row, script: str, *, timeout_s: float) -> Completed:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command(server),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            return Completed(UNREACHABLE, stderr=f"ssh cannot be started: {error.strerror}")
        return await _finish(process, script, timeout_s)

    def _command(self, server: Row) -> list[str]:
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self._known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "ConnectTimeout": "10",
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "2",
            "ControlMaster": "auto",
            "ControlPersist": "60",
            "ControlPath": str(self._control_dir / "%C"),
            "LogLevel": "ERROR",
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        remote = "bash -se" if server["user"] == "root" else "sudo -n bash -se"
        target = f"{server['user']}@{server['ip']}"
        return [
            "ssh",
            "-F",
            "none",
            *flags,
            "-i",
            str(self._key),
            "-p",
            str(server["port"]),
            target,
            remote,
        ]


async def _finish(process: asyncio.subprocess.Process, script: str, timeout_s: float) -> Completed:
    try:
        out, err = await asyncio.wait_for(process.communicate(script.encode()), timeout_s)
    except asyncio.TimeoutError:
        await _kill(process)
        return Completed(TIMED_OUT, stderr=f"no answer within {timeout_s:.0f} s")
    except BaseException:
        await _kill(process)
        raise
    return Completed(
        process.returncode if process.returncode is not None else UNREACHABLE,
        out.decode(errors="replace"),
        err.decode(errors="replace"),
    )


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
