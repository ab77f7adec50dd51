"""Measure the exporter on a running cluster of the lab: ``make bench-exporter``.

Beside it, in the same run on the same server, Debian's prometheus-postgres-exporter and Patroni's
own /metrics. The report is printed and written to reports/bench-exporter.json; the exit status is
1 when a bar of docs/performance.md is missed. The machine's other work is in the figures: its load
is printed too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.lab import REPOSITORY, Lab, eventually
from tests.support.scraping import OURS, PATRONI, POSTGRES_EXPORTER, Target, exporters, ours, scrape

PROMETHEUS_S = 15.0
FRESH_S = 1.1
"""Pause between scrapes that must each cause a collection: the exporter reuses one for 1 s."""
ANSWER_S = 3.0


def main() -> int:
    arguments = _arguments()
    lab = Lab(arguments.instance)
    leader = lab.leader()
    replica = next(server for server in lab.servers if server != leader)
    result: dict[str, Any] = {"load_before": os.getloadavg(), "server": leader}
    with exporters(lab, leader) as targets:
        _say(f"{arguments.rounds} scrapes of each exporter, {FRESH_S} s apart")
        result["fresh"] = scrape(lab, leader, list(targets.values()), arguments.rounds, FRESH_S)
        _say(f"{arguments.paced} scrapes of each exporter, {PROMETHEUS_S:g} s apart")
        result["paced"] = scrape(lab, leader, list(targets.values()), arguments.paced, PROMETHEUS_S)
        target = targets[OURS]
        _say(f"{arguments.scrapes} scrapes back to back")
        result["many"] = many(lab, leader, target, arguments.scrapes)
        _say("nobody scrapes, one scrapes, a hundred scrape")
        result["crowd"] = crowd(lab, leader, target, arguments.seconds)
    with exporters(lab, replica) as targets:
        _say("frozen sources")
        result["frozen"] = frozen(lab, replica, targets[OURS])
    result["load_after"] = os.getloadavg()
    result["bars"] = bars(result)
    _write(result)
    for line in lines(result):
        print(line)
    return 0 if all(bar["kept"] for bar in result["bars"]) else 1


def many(lab: Lab, server: str, target: Target, scrapes: int) -> dict[str, Any]:
    """Memory while ``scrapes`` are answered, in MiB: before, half-way and at the end."""
    memory = [scrape(lab, server, [target], 1)[OURS]["rss_mib"]]
    for _ in range(2):
        done = scrape(lab, server, [target], scrapes // 8, threads=4)[OURS]
        memory.append(done["rss_mib"])
    return {"rss_mib": memory, "scrapes": scrapes, "errors": done["errors"]}


def crowd(lab: Lab, server: str, target: Target, seconds: int) -> dict[str, Any]:
    """What the sources are asked per second, by number of scrapers.

    PostgreSQL counts its transactions, etcd its raft index; the exporter's memory is read when the
    scrapers have gone.
    """
    target = {**target, "pid": 0}  # It will be another process.
    with stopped(lab):
        found = {"no exporter": rates(lab, server, seconds, lambda: time.sleep(seconds))}
    for threads, pause_s in ((1, 1.0), (100, 0.5)):
        rounds = int(seconds / pause_s)
        found[f"{threads}"] = rates(
            lab, server, seconds,
            lambda t=threads, p=pause_s, r=rounds: scrape(lab, server, [target], r, p, t)[OURS],
        )  # fmt: skip
        now = {"name": OURS, **ours(lab, server)}
        found[f"{threads}"]["rss_mib"] = scrape(lab, server, [now], 2, FRESH_S)[OURS]["rss_mib"]
    return found


def rates(lab: Lab, server: str, seconds: int, work: Any) -> dict[str, Any]:
    before, started = counters(lab, server), time.monotonic()
    done = work() or {}
    after, took = counters(lab, server), time.monotonic() - started
    per_second = {key: round((after[key] - before[key]) / took, 2) for key in after}
    return {**per_second, "scrapes": len(done.get("ms", [])), "errors": done.get("errors", [])}


def counters(lab: Lab, server: str) -> dict[str, float]:
    sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"
    endpoint = f"--endpoints=https://{lab.address(server)}:2379"
    status = lab.check(lab.controller, "etcdctl", endpoint, "endpoint", "status", "-w", "json")
    return {
        "transactions": float(lab.check(server, "psql", "-XAtq", "-d", "postgres", "-c", sql)),
        "raft_index": float(json.loads(status)[0]["Status"]["raftIndex"]),
    }


@contextmanager
def stopped(lab: Lab) -> Iterator[None]:
    """No exporter anywhere for the block."""
    listing = "docker ps --quiet --filter label=pgha.component=exporter"
    found = {server: lab.check(server, "sh", "-c", listing).split() for server in lab.servers}
    for server, names in found.items():
        lab.check(server, "docker", "stop", *names)
    try:
        yield
    finally:
        for server, names in found.items():
            lab.check(server, "docker", "start", *names)
            healthy = ("curl", "-fsk", f"https://{lab.address(server)}:8010/-/healthy")
            eventually(
                lambda s=server, h=healthy: lab.run(s, *h).returncode == 0,
                deadline_s=30, what=f"the exporter of {server} to run again",
            )  # fmt: skip


def frozen(lab: Lab, server: str, target: Target) -> dict[str, Any]:
    """The slowest answer in seconds while a source does not answer, each for a few scrapes.

    Short enough that no leader is lost: Patroni's ttl is 30 s.
    """
    found = {}
    for process in ("postgres", "patroni", "etcd"):
        match = ("-x", process) if process != "patroni" else ("-f", "bin/patroni /")
        lab.check(server, "pkill", "-STOP", *match)
        try:
            done = scrape(lab, server, [target], rounds=5, pause_s=FRESH_S)[OURS]
        finally:
            lab.check(server, "pkill", "-CONT", *match)
        found[process] = {"slowest_s": max(done["ms"]) / 1000, "errors": done["errors"]}
    return found


def bars(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Each bar with the figure seen; issue: scrape times, CPU, memory, answers, load."""
    own, theirs = result["fresh"][OURS], result["fresh"][POSTGRES_EXPORTER]
    one, hundred = result["crowd"]["1"], result["crowd"]["100"]
    none = result["crowd"]["no exporter"]
    memory = result["many"]["rss_mib"]
    slowest = max(each["slowest_s"] for each in result["frozen"].values())
    errors = [e for each in result["frozen"].values() for e in each["errors"]] + hundred["errors"]
    return [
        bar("scrape p50, ms", quantile(own["ms"], 0.5), 10),
        bar("scrape p99, ms", quantile(own["ms"], 0.99), 25),
        bar("CPU per scrape against postgres_exporter's", _cpu(own) / _cpu(theirs), 0.5),
        bar("slowest answer with a frozen source, s", slowest, ANSWER_S),
        bar(f"RSS after {result['many']['scrapes']} scrapes, MiB", memory[-1], 50),
        bar("RSS growth in the second half, MiB", memory[2] - memory[1], 1),
        bar("RSS after 100 scrapers, MiB", hundred["rss_mib"], 50),
        bar("transactions/s, 100 scrapers against 1", hundred["transactions"] / one["transactions"],
            1.2),
        bar("raft entries/s that exporters add", hundred["raft_index"] - none["raft_index"], 0.2),
        bar("failed scrapes", float(len(errors)), 0),
    ]  # fmt: skip


def bar(what: str, seen: float, at_most: float) -> dict[str, Any]:
    return {"what": what, "seen": round(seen, 2), "at_most": at_most, "kept": seen <= at_most}


def lines(result: dict[str, Any]) -> list[str]:
    """The report for people."""
    load = " -> ".join(f"{result[when][0]:.1f}" for when in ("load_before", "load_after"))
    text = [f"load of this machine {load} on {os.cpu_count()} cores, leader {result['server']}"]
    for pace, pause_s in (("fresh", FRESH_S), ("paced", PROMETHEUS_S)):
        for name in (OURS, POSTGRES_EXPORTER, PATRONI):
            text.append(f"every {pause_s:g} s, {name}: {_line(result[pace][name])}")
    text.append(f"RSS before, after half and after all scrapes: {result['many']['rss_mib']} MiB")
    text += [f"scrapers {name}: {rate}" for name, rate in result["crowd"].items()]
    text += [f"frozen {name}: {seen}" for name, seen in result["frozen"].items()]
    for each in result["bars"]:
        kept = "kept  " if each["kept"] else "MISSED"
        text.append(f"{kept} {each['what']}: {each['seen']} (at most {each['at_most']})")
    return text


def _line(seen: dict[str, Any]) -> str:
    return (
        f"{len(seen['ms'])} scrapes, p50 {quantile(seen['ms'], 0.5)} ms, "
        f"p99 {quantile(seen['ms'], 0.99)} ms, CPU {_cpu(seen):.1f} ms each, "
        f"{seen['series']} series, {seen['bytes']} bytes, RSS {seen['rss_mib']} MiB"
    )


def quantile(values: list[float], q: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def _cpu(seen: dict[str, Any]) -> float:
    """Milliseconds of CPU per scrape, with all that the process did between the scrapes."""
    return float(seen["cpu_s"] * 1000 / max(1, len(seen["ms"])))


def _say(what: str) -> None:
    print(f"{time.strftime('%T')} {what}", file=sys.stderr, flush=True)


def _write(result: dict[str, Any]) -> None:
    target = REPOSITORY / "reports" / "bench-exporter.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instance", default="dev")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--paced", type=int, default=10)
    parser.add_argument("--scrapes", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
