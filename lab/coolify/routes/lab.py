"""`/__lab__`: what only tests may do. Open with --faults, to loopback or a root token."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..faults import KINDS, Fault
from ..foreign import create_foreign, delete_foreign
from ..http.errors import ApiError
from ..settings import SeedError, parse_seed
from ..standin import Standin
from ..store import instance, servers, tokens

_LOOPBACK = ("127.0.0.1", "::1", "testclient")
Control: TypeAlias = Callable[[Request, Standin], Awaitable[Any]]


async def _data(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        data = json.loads(raw or b"{}")
    except ValueError:
        raise ApiError(400, "The body must be a JSON object.") from None
    if not isinstance(data, dict):
        raise ApiError(400, "The body must be a JSON object.")
    return data


async def set_server(request: Request, standin: Standin) -> Any:
    """is_reachable / is_usable: true or false overrides what is found, null ends the override."""
    row = servers.by_name(standin.db, request.path_params["name"])
    if row is None:
        raise ApiError(404, f"No server {request.path_params['name']} in the seed.")
    data = await _data(request)
    names = {"is_reachable": "forced_reachable", "is_usable": "forced_usable"}
    changes = {names[key]: data[key] for key in names if key in data}
    standin.db.update("servers", row["id"], changes)
    return {"name": row["name"], **changes}


async def set_api(request: Request, standin: Standin) -> Any:
    enabled = bool((await _data(request)).get("enabled", True))
    instance.set_api_enabled(standin.db, enabled)
    return {"enabled": enabled}


async def add_fault(request: Request, standin: Standin) -> Any:
    data = await _data(request)
    kind = str(data.get("kind"))
    if kind not in KINDS:
        raise ApiError(422, f"kind is {kind}, it must be one of {', '.join(KINDS)}.")
    fault = Fault(
        kind=kind,
        remaining=int(data.get("count", 1)),
        method=data.get("method"),
        path=data.get("path"),
        seconds=float(data.get("seconds", 3600.0)),
    )
    standin.faults.add(fault)
    return vars(fault)


async def list_faults(_: Request, standin: Standin) -> Any:
    return [vars(fault) for fault in standin.faults.pending()]


async def clear_faults(_: Request, standin: Standin) -> Any:
    standin.faults.clear()
    return []


async def add_foreign(request: Request, standin: Standin) -> Any:
    count = int((await _data(request)).get("count", 2000))
    return {"created": create_foreign(standin.db, count, standin.clock.now())}


async def remove_foreign(_: Request, standin: Standin) -> Any:
    delete_foreign(standin.db)
    return {}


async def add_token(request: Request, standin: Standin) -> Any:
    try:
        seed = parse_seed({"tokens": [await _data(request)]}, "token")
    except SeedError as error:
        raise ApiError(422, str(error)) from None
    tokens.save(standin.db, seed.tokens[0])
    return {"name": seed.tokens[0].name}


async def status_pass(_: Request, standin: Standin) -> Any:
    await standin.passes.run()
    return {}


async def drain(_: Request, standin: Standin) -> Any:
    await standin.jobs.drain()
    return {}


async def nightly_cleanup(_: Request, standin: Standin) -> Any:
    """Coolify's nightly clean-up on every server that still has force_docker_cleanup on."""
    rows = servers.everything(standin.db)
    cleaned = [row for row in rows if json.loads(row["cleanup"])["force_docker_cleanup"]]
    for row in cleaned:
        await standin.actions.prune(row)
    return {"cleaned": [row["name"] for row in cleaned]}


async def requests(request: Request, standin: Standin) -> Any:
    """Lines of the request log from line `since` on."""
    since = int(request.query_params.get("since", "0"))
    lines = Path(standin.settings.data_dir / "requests.log").read_text("utf-8").splitlines()
    return {"total": len(lines), "lines": lines[since:]}


def _guarded(control: Control) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        standin: Standin = request.app.state.standin
        if not _allowed(request, standin):
            return JSONResponse({"message": "Loopback or a root token only."}, 403)
        try:
            return JSONResponse(await control(request, standin))
        except ApiError as error:
            return error.response()
        except (TypeError, ValueError) as error:
            return JSONResponse({"message": f"The body has a wrong type: {error}"}, 422)

    return endpoint


def _allowed(request: Request, standin: Standin) -> bool:
    if request.client is not None and request.client.host in _LOOPBACK:
        return True
    _, _, token = request.headers.get("authorization", "").partition(" ")
    caller = tokens.find(standin.db, token.strip(), standin.clock.now())
    return caller is not None and "root" in caller.abilities and caller.team_id == 0


_CONTROLS: list[tuple[str, str, Control]] = [
    ("PUT", "/servers/{name}", set_server),
    ("PUT", "/api", set_api),
    ("GET", "/faults", list_faults),
    ("POST", "/faults", add_fault),
    ("DELETE", "/faults", clear_faults),
    ("POST", "/foreign-services", add_foreign),
    ("DELETE", "/foreign-services", remove_foreign),
    ("POST", "/tokens", add_token),
    ("POST", "/status-pass", status_pass),
    ("POST", "/drain", drain),
    ("POST", "/nightly-cleanup", nightly_cleanup),
    ("GET", "/requests", requests),
]
ROUTES = [
    Route(f"/__lab__{path}", _guarded(control), methods=[method])
    for method, path, control in _CONTROLS
]
