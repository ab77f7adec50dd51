"""A Prometheus of the test's own over a lab's exporters: which alerts were pending, fired, ended.

It has the rendered configuration and the rules of the product, but everything is `FASTER` times as
fast: scrapes, evaluations and the rules' delays, so that nobody waits for 10 minutes.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from grafana.src import rulefiles
from pgha.render import prometheus as rendered
from pgha.topology import Topology
from tests.monitoring import live
from tests.support.lab import Lab

FASTER = 5
LONGEST_S = 20
"""Of the delays that are divided, however long they are in the rules."""
HISTORY = {"PghaLeaderChanged", "PghaFailoverFlapping", "PghaLeaderLeaseNearExpiry"}
"""They tell what was: their expressions look back for minutes or an hour."""
MACHINE = {"PghaDiskFullSoon", "PghaDiskAlmostFull"}
"""All servers of a lab share the disk of the machine, which is not what is tested."""

_UNITS = {"s": 1, "m": 60, "h": 3600}
_FOR = re.compile(r"^(\s+for: )(\d+)([smh])$", re.MULTILINE)
_INTERVAL = re.compile(r"(interval: )15s")


def faster(rules: str, factor: int) -> str:
    """Rules or configuration with intervals and delays divided."""

    def delay(match: re.Match[str]) -> str:
        seconds = int(match[2]) * _UNITS[match[3]]
        shorter = seconds if factor == 1 else min(LONGEST_S, round(seconds / factor))
        return f"{match[1]}{shorter}s"

    return _FOR.sub(delay, _INTERVAL.sub(rf"\g<1>{15 // FASTER}s", rules))


def critical() -> set[str]:
    """The alerts that wake somebody up."""
    alerts = {rule.name for rule in rulefiles.alerts() if rule.severity == "critical"}
    return alerts - HISTORY - MACHINE


class Watch:
    """Every state of every alert since `mark`, seen twice a second by a thread of its own."""

    def __init__(self, server: live.Prometheus) -> None:
        self.server = server
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._now: dict[str, str] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def mark(self) -> None:
        """Forget what was seen."""
        with self._lock:
            self._seen.clear()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)

    @property
    def now(self) -> dict[str, str]:
        """``{alert: "pending" or "firing"}`` of this moment."""
        with self._lock:
            return dict(self._now)

    def seen(self, state: str) -> set[str]:
        """Alerts that have been in the state since the mark."""
        with self._lock:
            return {name for name, states in self._seen.items() if state in states}

    def fires(self, *alerts: str, within_s: float = 90) -> None:
        """Wait until each has been pending and then fired."""
        wanted = set(alerts)
        self._wait(lambda: wanted <= self.seen("firing"), f"{wanted} to fire", within_s)

    def is_quiet(self, within_s: float = 120) -> None:
        """Wait until no alert fires or is pending but those of the last minutes' history."""
        ignored = HISTORY | MACHINE
        self._wait(lambda: set(self.now) <= ignored, "all alerts to be resolved", within_s)

    def _wait(self, check: Callable[[], bool], what: str, within_s: float) -> None:
        ends = time.monotonic() + within_s
        while not check():
            assert time.monotonic() < ends, f"not within {within_s} s: {what}; now {self.now}"
            time.sleep(0.2)

    def _follow(self) -> None:
        while not self._ended.wait(0.5):
            try:
                found = self.server.get("alerts")["alerts"]
            except OSError:
                continue
            with self._lock:
                self._now = {}
                for alert in found:
                    name, state = alert["labels"]["alertname"], alert["state"]
                    self._seen[name].add(state)
                    if self._now.get(name) != "firing":
                        self._now[name] = state


@contextmanager
def watching(lab: Lab, tools: Path, directory: Path, factor: int = FASTER) -> Iterator[Watch]:
    """A Prometheus that has scraped every exporter of the lab, and what it sees."""
    topology = Topology.from_pillar(lab.pillar())
    _write(lab, topology, directory, factor)
    with live.prometheus(tools, directory, len(topology.nodes)) as server:
        watch = Watch(server)
        try:
            yield watch
        finally:
            watch.stop()


def _write(lab: Lab, topology: Topology, directory: Path, factor: int) -> None:
    own = directory / "clusters" / topology.cluster
    for folder in (own, directory / "targets", directory / "rules"):
        folder.mkdir(parents=True)
    shutil.copy(lab.state / "pki" / "ca.crt", own / "ca.crt")
    (own / "password.txt").write_text(lab.read_secret("postgresql/exporter_password.txt"))
    targets = directory / "targets" / f"{topology.cluster}.json"
    targets.write_text(rendered.targets(topology))
    for path in rulefiles.files():
        (directory / "rules" / path.name).write_text(faster(path.read_text(), factor))
    text = faster(rendered.configuration([topology], directory=str(directory)), factor)
    (directory / "prometheus.yml").write_text(text.replace("_timeout: 5s", "_timeout: 3s"))
