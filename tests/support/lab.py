"""The lab as tests see it: run commands on its servers, change its pillar, read what it logged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
Done = subprocess.CompletedProcess[str]


class Lab:
    """One lab instance; every server of it is a container of the machine's engine."""

    def __init__(self, name: str = "test") -> None:
        self.name = name
        self.domain = "lan" if name == "dev" else name
        self.prefix = "172.28.0" if name == "dev" else "172.29.0"
        self.state = REPOSITORY / "state" if name == "dev" else REPOSITORY / ".lab" / name / "state"
        self.site = REPOSITORY / ".lab" / name / "site" / "postgresql" / "site.sls"

    @property
    def servers(self) -> list[str]:
        short = ("app-server-1", "app-server-2", "controller", "builder")
        return [f"{server}.{self.domain}" for server in short]

    @property
    def controller(self) -> str:
        return f"controller.{self.domain}"

    def address(self, server: str) -> str:
        last = {"app-server-1": 20, "app-server-2": 21, "controller": 10, "builder": 30}
        return f"{self.prefix}.{last[server.split('.')[0]]}"

    def cli(self, *arguments: str, timeout: float = 900) -> Done:
        """Run the lab's own command line."""
        command = [sys.executable, "-m", "lab", arguments[0], "--instance", self.name]
        return _run([*command, *arguments[1:]], timeout=timeout, cwd=REPOSITORY)

    def run(self, server: str, *command: str, timeout: float = 120, stdin: str = "") -> Done:
        """Run a command on a server."""
        return _run(["docker", "exec", "-i", server, *command], timeout=timeout, stdin=stdin)

    def check(self, server: str, *command: str, timeout: float = 120) -> str:
        """Run a command on a server that must succeed; its standard output."""
        done = self.run(server, *command, timeout=timeout)
        assert done.returncode == 0, f"{server}: {' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def salt_run(self, *arguments: str, timeout: float = 600) -> Done:
        return self.run(self.controller, "salt-run", *arguments, timeout=timeout)

    def salt(self, *arguments: str, timeout: float = 120) -> dict[str, Any]:
        """Call an execution function and return ``{minion: value}``."""
        output = self.check(
            self.controller, "salt", "--out=json", "--static", *arguments, timeout=timeout
        )
        found: dict[str, Any] = json.loads(output)
        return found

    def deploy(self, *arguments: str, timeout: float = 600) -> Deploy:
        started = time.monotonic()
        done = self.salt_run(
            "state.orchestrate", "postgres.deploy", "--out=json", *arguments, timeout=timeout
        )
        return Deploy(done, time.monotonic() - started)

    def status(self) -> dict[str, Any]:
        done = self.salt_run("postgres.status", "--out=json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def until_healthy(self, deadline_s: float = 120) -> dict[str, Any]:
        """The status as soon as it is healthy; else its problems are the failure."""
        ends = time.monotonic() + deadline_s
        while not (status := self.status())["healthy"]:
            assert time.monotonic() < ends, status["problems"]
            time.sleep(0.5)
        return status

    def leader(self) -> str:
        """The server that leads; an election that is under way is waited for."""
        name = eventually(lambda: self.status()["leader"], deadline_s=120, what="a leader")
        return next(node["host"] for node in self.nodes() if node["name"] == name)

    def nodes(self) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = self.pillar()["postgresql_nodes"]
        return nodes

    def pillar(self) -> dict[str, Any]:
        """What the site pillar declares."""
        found: dict[str, Any] = yaml.safe_load(self.site.read_text())
        return found

    @contextmanager
    def declared(self, **overrides: Any) -> Iterator[None]:
        """Change the site pillar for the block; a value of ``None`` removes the key."""
        before = self.site.read_text()
        pillar = {**self.pillar(), **overrides}
        wanted = {key: value for key, value in pillar.items() if value is not None}
        self.site.write_text(yaml.safe_dump(wanted, sort_keys=False))
        try:
            yield
        finally:
            self.site.write_text(before)

    def containers(self) -> dict[str, set[str]]:
        """``{server: {id of each container that Coolify manages}}``."""
        listing = ("docker", "ps", "--no-trunc", "--filter", "label=coolify.managed=true")
        return {
            server: set(self.check(server, *listing, "--format", "{{.ID}}").split())
            for server in self.servers
        }

    def requests(self) -> list[str]:
        """The stand-in's request log, one line per request to Coolify's API."""
        log = self.check(self.controller, "cat", "/data/coolify/stand-in/requests.log")
        return [line for line in log.splitlines() if "/api/v1/" in line]

    def coolify(self, verb: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Set or clear a fault of the stand-in (``lab/coolify/README.md``)."""
        self.check(
            self.controller, "curl", "--fail", "--silent", "--show-error", "-X", verb,
            f"http://127.0.0.1:8000/__lab__/{path}", "-H", "Content-Type: application/json",
            "-d", json.dumps(body or {}), timeout=300,
        )  # fmt: skip

    def read_secret(self, name: str) -> str:
        return (self.state / name).read_text().strip()


class Deploy:
    """What one ``postgres.deploy`` printed."""

    def __init__(self, done: Done, seconds: float) -> None:
        self.code = done.returncode
        self.stderr = done.stderr
        self.stdout = done.stdout
        self.seconds = seconds

    @property
    def states(self) -> dict[str, dict[str, Any]]:
        """``{sentence: state}`` of the orchestration."""
        returned = json.loads(self.stdout)
        (states,) = returned.get("data", returned).values()
        return {key.split("_|-")[1]: state for key, state in states.items()}

    @property
    def changes(self) -> dict[str, Any]:
        return {key: state["changes"] for key, state in self.states.items() if state["changes"]}

    @property
    def failure(self) -> str:
        """The comment of the state that failed."""
        failed = [state["comment"] for state in self.states.values() if state["result"] is False]
        return "\n".join(failed)


def _run(
    command: Sequence[str], *, timeout: float, stdin: str = "", cwd: Path | None = None
) -> Done:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        input=stdin,
        cwd=cwd,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )


def eventually(check: Any, *, deadline_s: float, what: str) -> Any:
    """Poll ``check`` until it returns something true; the last value is in the failure."""
    ends = time.monotonic() + deadline_s
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < ends, f"{what} did not happen within {deadline_s} s: {value!r}"
        time.sleep(0.5)
