"""Measure switchovers under load on a running cluster of the lab: ``make bench-switchover``.

Part 1: fifty pooled clients (6432, transaction pooling, mixed reads and writes) during ten
switchovers in a row. Part 2: one client on 5432 during three. The report is printed and written to
reports/bench-switchover.json. The machine's other work is in the figures: its load is printed too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from typing import Any

from tests.support.lab import REPOSITORY, Lab
from tests.support.operations import operate
from tests.support.writes import Writes


def main() -> int:
    arguments = _arguments()
    lab = Lab(arguments.instance)
    result = {
        "load_before": os.getloadavg(),
        "pooled": measure(lab, 6432, arguments.clients, arguments.times, pause_s=0.1),
        "direct": measure(lab, 5432, 1, arguments.direct_times, pause_s=0.005),
        "load_after": os.getloadavg(),
    }
    target = REPOSITORY / "reports" / "bench-switchover.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")
    for line in lines(result):
        print(line)
    return 0 if all(part["lost"] == 0 and not part["failed"] for part in _parts(result)) else 1


def measure(lab: Lab, port: int, clients: int, times: int, pause_s: float) -> dict[str, Any]:
    """``times`` switchovers while ``clients`` write through ``port`` of the controller."""
    rounds, failed = [], []
    with Writes(lab, lab.controller, port, clients, pause_s) as writes:
        for number in range(times):
            started = time.monotonic()
            done = operate(lab, "switchover")
            rounds.append(
                {"seconds": round(time.monotonic() - started, 1), "said": done["comment"]}
            )
            print(f"{port} {number + 1}/{times}: {done['comment']}", file=sys.stderr, flush=True)
            if done["result"] is not True:
                failed.append(done["comment"])
    return {**writes.report, "lost": writes.lost, "rounds": rounds, "failed": failed}


def lines(result: dict[str, Any]) -> list[str]:
    """The report for people."""
    load = " -> ".join(f"{result[when][0]:.1f}" for when in ("load_before", "load_after"))
    text = [f"load of this machine {load} on {os.cpu_count()} cores"]
    for part, port in (("pooled", 6432), ("direct", 5432)):
        seen = result[part]
        held = [float(match) for one in seen["rounds"] for match in _HELD.findall(one["said"])]
        text.append(
            f"{port}: {len(seen['rounds'])} switchovers, {seen['errors']} client errors, "
            f"{seen['acknowledged']} rows acknowledged, {seen['lost']} lost, slowest call "
            f"{seen['slowest']} s, longest gaps {seen['gaps'][: len(seen['rounds'])]} s, "
            f"held {held} s"
        )
        text += [f"  {count} x {kind}" for kind, count in seen["kinds"].items()]
        text += [f"  {one['said']}" for one in seen["rounds"]]
    return text


_HELD = re.compile(r"waited at most ([0-9.]+) s")


def _parts(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [result["pooled"], result["direct"]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instance", default="dev")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--direct-times", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
