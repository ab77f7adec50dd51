"""The commands of the Coolify stack, run here: they start, find their files and each other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.src.rulefiles import GRAFANA, all_rules, files
from pgha.prometheus import api
from pgha.render import monitoring
from tests.monitoring import live


class Stack:
    """Both programs as the compose text starts them, with places and ports of the test's own."""

    def __init__(self, tools: Path, root: Path, ca: str) -> None:
        self.tools = tools
        self.root = root
        self.cluster = live.cluster()
        self.secrets = {"pgha": {"monitoring": {"ca_crt": ca, "password": live.PASSWORD}}}
        self.places = {
            "/etc/pgha": str(root / "etc"),
            "/var/lib/prometheus": str(root / "prometheus"),
            "/var/lib/alertmanager": str(root / "alertmanager"),
            f"127.0.0.1:{monitoring.PROMETHEUS_PORT}": f"127.0.0.1:{live.free_port()}",
            f"127.0.0.1:{monitoring.ALERTMANAGER_PORT}": f"127.0.0.1:{live.free_port()}",
        }

    @property
    def url(self) -> str:
        return f"http://{self.places[f'127.0.0.1:{monitoring.PROMETHEUS_PORT}']}"

    @property
    def alertmanager(self) -> str:
        return f"http://{self.places[f'127.0.0.1:{monitoring.ALERTMANAGER_PORT}']}"

    def moved(self, text: str) -> str:
        for place, own in self.places.items():
            text = text.replace(place, own)
        return text

    def write(self) -> None:
        """What the SLS puts on the controller."""
        on_server = f"/etc/pgha/{self.cluster.cluster}/monitoring"
        for file in monitoring.files(self.cluster, self.secrets):
            path = Path(file.path.replace(on_server, self.places["/etc/pgha"]))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(live.each_second(self.moved(file.content)))
        etc = Path(self.places["/etc/pgha"])
        (etc / "rules").mkdir()
        for path in files():
            shutil.copy(path, etc / "rules")
        shutil.copy(GRAFANA / "alertmanager.yml", etc)

    def commands(self) -> dict[str, list[str]]:
        services: dict[str, Any] = yaml.safe_load(monitoring.compose(self.cluster))["services"]
        return {
            name: [
                str(self.tools / service["command"][0]),
                *(self.moved(flag) for flag in service["command"][1:]),
            ]
            for name, service in services.items()
        }


@pytest.fixture(scope="module")
def stack(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    pki = live.authority(root, live.cluster())
    found = Stack(tools, root, (pki.root / "ca.crt").read_text())
    found.write()
    with ExitStack() as running:
        for name, command in found.commands().items():
            running.enter_context(live.running(command, root / f"{name}.log"))
        yield found


def test_it_is_ready_when_it_has_rules_an_alertmanager_and_has_tried_every_node(
    stack: Stack,
) -> None:
    found = api.wait_ready(stack.url, stack.cluster.cluster, stack.alertmanager, deadline_s=40)

    assert found["rules"] == len(all_rules())
    assert found["alertmanagers"] == 1
    assert set(found["targets"]) == {node.host for node in stack.cluster.nodes}
    assert all("refused" in why for why in found["targets"].values()), found["targets"]
