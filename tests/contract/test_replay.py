"""The recorded exchanges with a live Coolify 4.3.11, replayed in order against a fresh stand-in.

Compared: status, keys and types of every answer, the whole body of errors. Recorded ids are
mapped to ours as they appear. `fixtures/exchanges.json` also lists what is skipped and why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.compose import encoded
from tests.contract.loopback import Loopback, serve, token

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "exchanges.json").read_text("utf-8"))
UUID = re.compile(r"(?<![a-z0-9])[a-z0-9]{24}(?![a-z0-9])")
# Recorded as null or text depending on the moment; the contract calls them nullable.
EITHER = {"config_hash", "error_details", "message", "finished_at", "duration", "description"}
EITHER |= {"human_name", "comment", "value", "real_value", "validation_logs", "unreachable_count"}
EITHER |= {"docker_compose", "fqdn", "docker_version", "compose_version"}
EITHER |= {"docker_version_checked_at", "compose_version_checked_at", "is_include_timestamps"}


class Replay:
    def __init__(self, server: Loopback) -> None:
        self.server = server
        self.ids: dict[str, str] = {}
        self.problems: list[str] = []

    def run(self, exchange: dict[str, Any]) -> None:
        response = self._send(exchange)
        where = f"{exchange['n']} {exchange['call']}"
        if response.status_code != exchange["status"]:
            wanted, got = exchange["status"], response.status_code
            self.problems.append(f"{where}: {got} instead of {wanted}: {response.text[:200]}")
            return
        wanted = exchange["answer"]
        if wanted == "<html>":
            assert response.text.lstrip().startswith("<!DOCTYPE html>"), where
        elif isinstance(wanted, str):
            self._same(where, wanted, response.text)
        else:
            self._compare(where, wanted, response.json(), exact=exchange["status"] >= 400)

    def _send(self, exchange: dict[str, Any]) -> Any:
        method, _, path = exchange["call"].partition(" ")
        headers = {"Accept": exchange.get("accept") or "", "Content-Type": "application/json"}
        if "accept" not in exchange:
            headers["Accept"] = "application/json"
        if exchange["who"]:
            headers["Authorization"] = f"Bearer {self._token(exchange['who'])}"
        headers["Content-Type"] = exchange.get("content_type", "application/json")
        body = exchange.get("body")
        content = body if isinstance(body, str) else json.dumps(self._body(body)) if body else None
        if isinstance(body, dict) and not body:
            content = "{}"
        return self.server.client.request(
            method, self._ours(path), headers=headers, content=content
        )

    def _token(self, who: str) -> str:
        return who if "|" in who else token(who)

    def _body(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._body(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._body(item) for item in value]
        if isinstance(value, str) and value.startswith("@c"):
            return encoded(RECORDED["composes"][value[1:]])
        return self._ours(value) if isinstance(value, str) else value

    def _ours(self, text: str) -> str:
        return UUID.sub(lambda match: self.ids.get(match[0], match[0]), text)

    def _compare(self, where: str, wanted: Any, got: Any, *, exact: bool) -> None:
        if isinstance(wanted, str) and wanted.startswith("@s"):
            wanted = RECORDED["shapes"][wanted[1:]]
        if isinstance(wanted, dict) and isinstance(got, dict):
            self._compare_dict(where, wanted, got, exact=exact)
        elif isinstance(wanted, list) and isinstance(got, list):
            self._compare_list(where, wanted, got, exact=exact)
        elif exact:
            self._same(where, wanted, got)
        else:
            self._compare_scalar(where, wanted, got)

    def _compare_dict(self, where: str, wanted: Any, got: Any, *, exact: bool) -> None:
        missing, extra = sorted(set(wanted) - set(got)), sorted(set(got) - set(wanted))
        if missing or extra:
            self.problems.append(f"{where}: lacks {missing}, has extra {extra}")
        for key in set(wanted) & set(got):
            self._compare_key(f"{where} .{key}", key, wanted[key], got[key], exact=exact)

    def _compare_key(self, where: str, key: str, wanted: Any, got: Any, *, exact: bool) -> None:
        if key in EITHER and not exact and (got is None or wanted == "<null>"):
            return
        if key == "valid_service_types":
            return
        self._compare(where, wanted, got, exact=exact)

    def _compare_list(self, where: str, wanted: Any, got: Any, *, exact: bool) -> None:
        if len(wanted) != len(got):
            self.problems.append(f"{where}: {len(got)} items instead of {len(wanted)}")
        for position, (item, ours) in enumerate(zip(wanted, got, strict=False)):
            match = self._counterpart(item, got) or ours
            self._compare(f"{where}[{position}]", item, match, exact=exact)

    def _counterpart(self, wanted: Any, got: list[Any]) -> Any:
        """Lists come in no guaranteed order: look for the mapped uuid, then for a unique name."""
        if not isinstance(wanted, dict):
            return None
        uuid, name = self.ids.get(wanted.get("uuid", "")), self._ours(str(wanted.get("name")))
        same_uuid = [item for item in got if uuid and item.get("uuid") == uuid]
        same_name = [item for item in got if item.get("name") == name]
        return same_uuid[0] if same_uuid else same_name[0] if len(same_name) == 1 else None

    def _compare_scalar(self, where: str, wanted: Any, got: Any) -> None:
        if isinstance(wanted, str) and re.fullmatch(r"<\w+>", wanted):
            kind = {"NoneType": "null"}.get(type(got).__name__, type(got).__name__)
            if f"<{kind}>" != wanted:
                self.problems.append(f"{where}: {kind} instead of {wanted}")
        elif isinstance(wanted, str) and UUID.fullmatch(wanted) and isinstance(got, str):
            self.ids.setdefault(wanted, got)
        else:
            self._same(where, wanted, got)

    def _same(self, where: str, wanted: Any, got: Any) -> None:
        if isinstance(wanted, str) and isinstance(got, str) and UUID.search(wanted):
            if UUID.fullmatch(wanted):
                self.ids.setdefault(wanted, got)
                return
            wanted = self._ours(wanted)
        if wanted != got:
            self.problems.append(f"{where}: {got!r} instead of {wanted!r}")


def _reach(name: str, reachable: bool) -> Callable[[Replay], None]:
    def step(replay: Replay) -> None:
        replay.server.host.server(name).reachable = reachable

    return step


def _two_minutes_later(replay: Replay) -> None:
    """The start period of 90 s is over."""
    for container in replay.server.host.server("h21").containers.values():
        if container.health:
            container.health = "unhealthy"


def _create_stack_f(replay: Replay) -> None:
    """Its creation was not recorded: two services, a and b."""
    project, server = "b6gc3rqrq4fu32n5ruxrkaqw", "dzikwkgo7jsqb2igdsszuoty"
    command = '    image: proto-patroni:16\n    init: true\n    command: ["sleep","infinity"]\n'
    body = {
        "project_uuid": replay.ids[project],
        "server_uuid": replay.ids[server],
        "environment_name": "production",
        "name": "stack-f",
        "docker_compose_raw": encoded(f"services:\n  a:\n{command}  b:\n{command}"),
    }
    uuid = replay.server.call("POST", "/services", body).json()["uuid"]
    rows = replay.server.call("GET", f"/services/{uuid}/applications").json()
    replay.ids["kxabdjm1lfivqnmdelkn0dlk"] = uuid
    replay.ids["eqb8fj9ufptciwce1ileikrw"] = rows[1]["uuid"]


# What happened between the recorded requests: jobs ran, a status pass looked.
BEFORE: dict[str, Callable[[Replay], None]] = {
    "258": _two_minutes_later,
    "271": _reach("h21", False),
    "280": _reach("h21", True),
    "300": _create_stack_f,
}
# Requests that came after a status pass.
PASSES = {"157", "158", "164", "175", "201", "216", "230", "249", "252", "254", "256", "258"}
PASSES |= {"262", "264", "269", "273", "280", "286", "295", "302"}


def test_recorded_exchanges_replay(tmp_path: Path) -> None:
    with serve(tmp_path, rate_limit=10_000) as server:
        server.host.needs_command = {"proto-patroni:16"}
        server.host.outputs = {"echo hello; id -u": "hello\n0\n"}
        replay = Replay(server)
        for row in server.call("GET", "/servers", who="root").json():
            recorded = {"h20": "dzikwkgo7jsqb2igdsszuoty", "h21": "c60h49m5kfaie2hidlut5jf4"}
            replay.ids[recorded[row["name"]]] = row["uuid"]
        for exchange in RECORDED["exchanges"]:
            number = exchange["n"][:3]
            server.settle()
            if number in BEFORE:
                BEFORE[number](replay)
            if number in PASSES:
                server.status_pass()
            replay.run(exchange)
        assert not replay.problems, "\n".join(replay.problems)


def test_every_skipped_exchange_has_a_reason() -> None:
    assert len(RECORDED["exchanges"]) > 250
    assert all(len(reason) > 20 for reason in RECORDED["skipped"].values())


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_framework_errors_are_pages_unless_json_is_asked_for(tmp_path: Path, accept: str) -> None:
    with serve(tmp_path) as server:
        server.lab("POST", "/faults", {"kind": "500"})
        answer = server.client.get("/api/v1/version", headers={"Accept": accept})
        assert answer.status_code == 500
        assert answer.text.startswith("<!DOCTYPE html>")
