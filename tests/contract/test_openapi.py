"""The stand-in's answers against Coolify's own specification, except for the written deviations."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from lab.coolify import deviations
from tests.contract.compose import encoded
from tests.contract.loopback import Loopback, serve, token

SPECIFICATION = Path(__file__).parent / "fixtures" / "openapi.json"
METHODS = ("get", "post", "patch", "put", "delete")
load_all_checks()


def corrected(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification with the deviations of lab/coolify/deviations.py applied."""
    for path, item in spec["paths"].items():
        for method in METHODS:
            if method in item:
                _allow_statuses(method, path, item[method])
    for wrong in deviations.SCHEMAS:
        answer = spec["paths"][wrong.path][wrong.method]["responses"][str(wrong.status)]
        for media in answer["content"].values():
            media["schema"] = {}
    for name, columns in deviations.NULL_COLUMNS.items():
        for column in columns:
            properties = spec["components"]["schemas"][name]["properties"]
            properties[column] = {"anyOf": [properties[column], {"type": "null"}]}
    for wrong_parameter in deviations.PARAMETERS:
        _correct_parameter(
            spec["paths"][wrong_parameter.path][wrong_parameter.method], wrong_parameter
        )
    spec["servers"] = [{"url": "/api/v1"}]
    return spec


def _allow_statuses(method: str, path: str, operation: dict[str, Any]) -> None:
    for undocumented in deviations.STATUSES:
        if undocumented.methods and method not in undocumented.methods:
            continue
        if undocumented.paths and not path.startswith(undocumented.paths):
            continue
        for status in undocumented.statuses:
            # A documented body of these is a component with other texts (deviations 3 and 4).
            operation["responses"][str(status)] = {"description": undocumented.why}


def _correct_parameter(operation: dict[str, Any], wrong: deviations.WrongParameter) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["name"] == wrong.name:
            parameter["schema"].pop("format", None)
    for media in operation.get("requestBody", {}).get("content", {}).values():
        required = media["schema"].get("required", [])
        media["schema"]["required"] = [name for name in required if name != wrong.name]


SCHEMA = schemathesis.openapi.from_dict(corrected(json.loads(SPECIFICATION.read_text("utf-8"))))
KNOWN: dict[str, list[str]] = {}


@SCHEMA.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Three of four requests name something that exists; the rest stay random (404)."""
    if not path_parameters:
        return path_parameters
    chance = random.Random(repr(sorted(path_parameters.items())))
    path = context.operation.path
    for name in path_parameters:
        kind = path.split("/")[1] if name in ("uuid", "server_uuid") else name
        if KNOWN.get(kind) and chance.random() < 0.75:
            path_parameters[name] = chance.choice(KNOWN[kind])
    return path_parameters


@SCHEMA.hook
def map_body(context: Any, body: Any) -> Any:
    """Bodies that create something get real parents, or hardly any would reach the code behind."""
    if isinstance(body, dict) and context.operation.label == "POST /services":
        chance = random.Random(repr(sorted(body)))
        body["server_uuid"], body["project_uuid"] = KNOWN["servers"][0], KNOWN["projects"][0]
        body["environment_name"] = "production"
        body["docker_compose_raw"] = chance.choice(COMPOSES)
        for name in ("type", "destination_uuid", "environment_uuid"):
            body.pop(name, None)
    return body


COMPOSES = [
    encoded("services:\n  a:\n    image: x:1\n"),
    encoded("services:\n  a:\n    image: x:1\n    environment: {K: $$x}\n"),
    encoded("services:\n  a: [\n"),
    "not base64",
]


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with serve(tmp_path_factory.mktemp("openapi")) as server:
        _populate(server)
        yield server


def _populate(server: Loopback) -> None:
    projects = [server.call("POST", "/projects", {"name": f"p {n}00"}).json()["uuid"] for n in "12"]
    servers = [row["uuid"] for row in server.call("GET", "/servers").json()]
    compose = encoded(
        "services:\n  a:\n    image: x:1\n    environment: {K: '${K}'}\n  db:\n    image: redis\n"
    )
    base = {
        "server_uuid": servers[0],
        "project_uuid": projects[0],
        "environment_name": "production",
    }
    made = [
        server.call(
            "POST",
            "/services",
            {**base, "name": f"s{n}", "docker_compose_raw": compose, "tags": ["lab"]},
        )
        for n in range(3)
    ]
    services = [answer.json()["uuid"] for answer in made]
    first = f"/services/{services[0]}"
    server.call("POST", f"{first}/start")
    task = {"name": "t", "command": "id", "frequency": "hourly", "container": "a"}
    tasks = server.call("POST", f"{first}/scheduled-tasks", task).json()
    server.settle()
    server.status_pass()
    server.call("POST", f"{first}/scheduled-tasks/{tasks['uuid']}/execute")
    rows = server.call("GET", first).json()
    KNOWN.update(
        projects=projects,
        servers=servers,
        services=services,
        app_uuid=[rows["applications"][0]["uuid"]],
        database_uuid=[rows["databases"][0]["uuid"]],
        task_uuid=[tasks["uuid"]],
        environment_name_or_uuid=["production"],
        env_uuid=[server.call("GET", f"{first}/envs").json()[0]["uuid"]],
        tag_uuid=[server.call("GET", f"{first}/tags").json()[0]["uuid"]],
    )


CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@SCHEMA.exclude(path_regex="/(enable|disable)$").parametrize()
@settings(
    max_examples=3,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_validate(case: schemathesis.Case, standin: Loopback) -> None:
    headers = {"Authorization": f"Bearer {token('all')}", "Accept": "application/json"}
    case.headers.update(headers)
    response = case.call(base_url=f"{standin.url}/api/v1", timeout=10)
    case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize(("method", "path"), deviations.NOT_SIMULATED)
def test_what_is_not_simulated_answers_like_an_unknown_path(
    standin: Loopback, method: str, path: str
) -> None:
    answer = standin.call(method.upper(), path.replace("{", "").replace("}", ""))
    assert answer.status_code == 404
