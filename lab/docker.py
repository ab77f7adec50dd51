"""The docker command of the machine's own engine, and nothing above it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from lab.errors import LabError

Completed = subprocess.CompletedProcess[str]


def docker(
    *arguments: str, stdin: bytes | str | None = None, timeout_s: float = 120, check: bool = True
) -> Completed:
    """Run ``docker ARGUMENTS`` and return what it said.

    Raises LabError when it fails (unless ``check`` is off) or takes longer than ``timeout_s``.
    """
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(
            ["docker", *arguments], input=data, capture_output=True, timeout=timeout_s, check=False
        )
    except FileNotFoundError:
        raise LabError(
            "There is no docker command: run lab/engine/ensure-engine.sh as root."
        ) from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`docker {arguments[0]}` did not end within {timeout_s:.0f} s.") from None
    answer = Completed(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
    if check and answer.returncode:
        raise LabError(f"`docker {arguments[0]}` failed: {last_line(answer.stderr)}")
    return answer


def last_line(text: str) -> str:
    """The last line that says something; docker puts the reason there, and advice after it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("See 'docker", "Run 'docker"))]
    return (telling or lines or ["no reason given"])[-1]


def inspect(kind: str, *names: str) -> dict[str, dict[str, Any]]:
    """``docker KIND inspect`` of those of ``names`` that exist, by name (without the slash)."""
    if not names:
        return {}
    answer = docker(kind, "inspect", *names, check=False)
    found: list[dict[str, Any]] = json.loads(answer.stdout or "[]")
    if not found and answer.returncode and not _says_absent(answer.stderr):
        raise LabError(f"`docker {kind} inspect` failed: {last_line(answer.stderr)}")
    if kind == "image":
        return {tag: item for item in found for tag in item["RepoTags"]}
    return {item["Name"].lstrip("/"): item for item in found}


def _says_absent(stderr: str) -> bool:
    said = stderr.lower()
    return "no such" in said or "not found" in said


def answers() -> bool:
    """Whether the machine's engine answers."""
    try:
        return (
            docker(
                "version", "--format", "{{.Server.Version}}", timeout_s=15, check=False
            ).returncode
            == 0
        )
    except LabError:
        return False
