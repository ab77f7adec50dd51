"""Running the project's shell scripts, with what they say shown as it comes."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lab.docker import last_line
from lab.errors import LabError


def run_script(path: Path, *arguments: str, on_line: Callable[[str], None]) -> None:
    """Run a script; ``on_line`` gets each line of its standard error.

    The scripts bound their own waits. Raises LabError with the last line when one fails.
    """
    if not path.exists():
        raise LabError(f"{path} is missing: the checkout is not complete.")
    tail: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        [str(path), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr or ():
            tail.append(line)
            on_line(line.strip())
    if process.returncode:
        raise LabError(f"{path.name}: {last_line(''.join(tail)).removeprefix('error: ')}")
