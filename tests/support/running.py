"""An operation that runs beside the test, so that something can die in the middle of it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from typing import IO, Any

from tests.support.lab import Deploy, Lab, eventually


class Running:
    """``salt-run state.orchestrate postgres.<name>``, begun and not waited for."""

    def __init__(self, lab: Lab, name: str, **pillar: Any) -> None:
        self._process = subprocess.Popen(
            ["docker", "exec", lab.controller, "salt-run", "state.orchestrate", f"postgres.{name}",
             "--out=json", f"pillar={json.dumps(pillar)}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        self._said: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._readers = [self._reader("stdout"), self._reader("stderr")]

    def has_said(self, text: str) -> bool:
        """Whether a line of its progress has the text; a step's line comes at the step's end."""
        return any(text in line for line in self._said["stderr"])

    def reaches(self, middle: Callable[[], Any], what: str, deadline_s: float = 300) -> Any:
        """Wait for the moment; an operation that ends before it has missed it."""

        def check() -> Any:
            over = self._process.poll() is not None
            assert not over, f"ended before {what} was seen: {self._said}"
            return middle()

        return eventually(check, deadline_s=deadline_s, what=what)

    def ends(self, deadline_s: float = 600) -> Deploy:
        """What it printed, in the end; a failure is one for the operator, without a traceback."""
        self._process.wait(timeout=deadline_s)
        for reader in self._readers:
            reader.join(timeout=10)
        said = {name: "".join(lines) for name, lines in self._said.items()}
        ended = Deploy(
            subprocess.CompletedProcess([], self._process.returncode, said["stdout"],
                                        said["stderr"]),
            0.0,
        )  # fmt: skip
        assert "Traceback" not in ended.stdout + ended.stderr
        assert ended.code == 0 or ended.failure, ended.stdout + ended.stderr
        print(f"it ended with {ended.code}: {ended.failure}")
        return ended

    def _reader(self, name: str) -> threading.Thread:
        stream: IO[str] = getattr(self._process, name)
        reader = threading.Thread(target=lambda: self._said[name].extend(stream), daemon=True)
        reader.start()
        return reader
