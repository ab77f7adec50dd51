"""The controller's verbs: what Coolify should hold, and telling a running Prometheus."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import pytest
import yaml
from salt.exceptions import CommandExecutionError

from _modules import postgres_monitoring as module
from pgha.errors import RefusedError
from pgha.node.docker import Container, Docker
from tests.support.clusters import pillar


@pytest.fixture
def configure_loader_modules() -> dict[Any, Any]:
    return {module: {"__pillar__": pillar()}}


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Any:
    engine = create_autospec(Docker, instance=True)
    engine.containers.return_value = [
        container("prometheus", "coolify-postgres-monitoring"),
        container("alertmanager", "coolify-postgres-monitoring"),
        container("grafana", "coolify-postgres-monitoring"),
        container("prometheus", "somebody-elses"),
        container("prometheus", "coolify-postgres-monitoring", state="exited"),
    ]
    monkeypatch.setattr(module, "Docker", lambda: engine)
    return engine


def container(service: str, stack: str, state: str = "running") -> Container:
    return Container(f"{service}-of-{stack}-{state}", service, stack, state, "Up", "image")


def test_the_stack_goes_to_the_controller_by_its_address() -> None:
    found = module.stack("172.28.0.10")

    assert (found["name"], found["server"]) == ("coolify_postgres-monitoring", "172.28.0.10")
    assert found["directory"] == "/etc/pgha/coolify_postgres/monitoring"
    assert "--web.listen-address=172.28.0.10:9090" in found["compose"]
    assert set(yaml.safe_load(found["compose"])["services"]) == {"prometheus", "alertmanager"}


def test_a_controller_that_is_no_node_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "__pillar__", pillar(coolify_controller="coolify.lan"), raising=False
    )

    assert module.stack()["server"] == "coolify.lan"


def test_only_the_clusters_own_running_containers_are_told(docker: Any) -> None:
    told = module.reload()

    assert told == [
        "grafana-of-coolify-postgres-monitoring-running",
        "prometheus-of-coolify-postgres-monitoring-running",
    ]
    docker.signal.assert_called_once_with(told[1], "HUP")
    docker.restart.assert_called_once_with(told[0])


def test_grafana_is_a_third_container_when_asked_for() -> None:
    found = module.stack(grafana=True)

    services = yaml.safe_load(found["compose"])["services"]
    assert set(services) == {"prometheus", "alertmanager", "grafana"}
    assert services["grafana"]["image"] == "grafana/grafana:11.6.0"
    assert found["dashboards"] == "/etc/pgha/coolify_postgres/grafana/dashboards"


@pytest.mark.parametrize("fetch", [True, False])
def test_an_image_that_cannot_be_had_is_no_failure(docker: Any, fetch: bool) -> None:
    docker.image_ids.side_effect = lambda names: dict.fromkeys(names)
    docker.pull.side_effect = RefusedError("docker pull failed: no such host")

    offer = module.offer_grafana(fetch=fetch)

    why = "docker pull failed: no such host" if fetch else "it is not on the server"
    assert offer == {"image": "grafana/grafana:11.6.0", "available": False, "why": why}
    assert docker.pull.called is fetch


def test_an_image_that_is_there_is_not_pulled(docker: Any) -> None:
    docker.image_ids.side_effect = lambda names: dict.fromkeys(names, "sha256:1")

    assert module.offer_grafana()["available"] is True
    assert not docker.pull.called


def test_a_wrong_pillar_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__pillar__", pillar(postgresql_port="five"), raising=False)

    with pytest.raises(CommandExecutionError, match="postgresql_port"):
        module.stack()
