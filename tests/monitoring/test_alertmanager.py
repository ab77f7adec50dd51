"""A real Alertmanager with the example: one cause is one message, to whom it concerns."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grafana.src import rulefiles
from tests.monitoring import live

SEVERITIES = {rule.name: rule.severity for rule in rulefiles.alerts()}


class Alertmanager:
    """The HTTP API of a running Alertmanager."""

    def __init__(self, address: str) -> None:
        self.address = f"{address}/api/v2/alerts"

    def tell(self, *alerts: dict[str, str]) -> None:
        """Send alerts as Prometheus does, severity included."""
        body = [{"labels": {**one, "severity": SEVERITIES[one["alertname"]]}} for one in alerts]
        request = urllib.request.Request(
            self.address, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=5).close()

    def alerts(self, scope: str) -> dict[str, dict[str, Any]]:
        """The alerts of a cluster by name."""
        with urllib.request.urlopen(self.address, timeout=5) as answer:
            found = [one for one in json.load(answer) if one["labels"].get("scope") == scope]
        return {one["labels"]["alertname"]: one for one in found}


@pytest.fixture(scope="module")
def alertmanager(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    directory = tmp_path_factory.mktemp("alertmanager")
    port = live.free_port()
    command = [
        str(tools / "prometheus-alertmanager"),
        f"--config.file={rulefiles.GRAFANA / 'alertmanager.yml'}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with live.running(command, directory / "log"):
        server = Alertmanager(f"http://127.0.0.1:{port}")
        live.eventually(lambda: server.alerts("none") == {}, f"it answers, see {directory}/log")
        yield server


def inhibited(alertmanager: Alertmanager, scope: str) -> dict[str, bool]:
    found = alertmanager.alerts(scope)
    return {name: bool(one["status"]["inhibitedBy"]) for name, one in found.items()}


def test_a_lost_quorum_is_told_once_and_only_for_its_cluster(alertmanager: Alertmanager) -> None:
    one, other = {"scope": "one"}, {"scope": "other"}
    alertmanager.tell(
        {"alertname": "PghaEtcdQuorumLost", **one},
        {"alertname": "PghaNoWritablePrimary", **one},
        {"alertname": "PghaMultipleWritablePrimaries", **one},
        {"alertname": "PghaNoWritablePrimary", **other},
    )

    expected = {
        "PghaEtcdQuorumLost": False,
        "PghaNoWritablePrimary": True,
        "PghaMultipleWritablePrimaries": False,
    }
    live.eventually(lambda: inhibited(alertmanager, "one") == expected, "one cause is left")
    assert inhibited(alertmanager, "other") == {"PghaNoWritablePrimary": False}


def test_a_silent_exporter_explains_only_its_own_sources(alertmanager: Alertmanager) -> None:
    alertmanager.tell(
        {"alertname": "PghaExporterDown", "scope": "three", "instance": "h0"},
        {"alertname": "PghaSourceFailing", "scope": "three", "instance": "h0"},
    )
    alertmanager.tell({"alertname": "PghaSourceFailing", "scope": "four", "instance": "h0"})

    live.eventually(lambda: inhibited(alertmanager, "three").get("PghaSourceFailing"), "inhibited")
    live.eventually(lambda: "PghaSourceFailing" in inhibited(alertmanager, "four"), "it arrives")
    assert inhibited(alertmanager, "four") == {"PghaSourceFailing": False}


def test_critical_pages_warning_tickets_info_is_told_to_nobody(alertmanager: Alertmanager) -> None:
    names = ("PghaRouteWrong", "PghaPaused", "PghaLeaderChanged")
    alertmanager.tell(*({"alertname": name, "scope": "five"} for name in names))

    found = live.eventually(
        lambda: len(all_ := alertmanager.alerts("five")) == 3 and all_, "all arrive"
    )
    receivers = {name: [who["name"] for who in one["receivers"]] for name, one in found.items()}
    assert receivers == {
        "PghaRouteWrong": ["pager"],
        "PghaPaused": ["tickets"],
        "PghaLeaderChanged": ["nobody"],
    }
