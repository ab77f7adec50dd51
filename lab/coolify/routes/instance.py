"""Version and the API switch (contract 1.4, 2.1)."""

from __future__ import annotations

from starlette.responses import Response

from ..http.errors import ApiError
from ..http.pipeline import ApiRoute, Call, answer, moved, text
from ..settings import VERSION
from ..store import details, instance, services
from ..views import detail as detail_view
from ..views.service import ServiceView


async def version(_: Call) -> Response:
    return text(VERSION)


async def enable(call: Call) -> Response:
    return _switch(call, True)


async def disable(call: Call) -> Response:
    return _switch(call, False)


def _switch(call: Call, enabled: bool) -> Response:
    verb = "enable" if enabled else "disable"
    if call.caller.team_id != 0:
        raise ApiError(403, f"You are not allowed to {verb} the API.")
    instance.set_api_enabled(call.standin.db, enabled)
    return answer({"message": f"API {verb}d."})


async def resources(call: Call) -> Response:
    rows = services.of_team(call.standin.db, call.caller.team_id)
    items = ServiceView(call.standin, call.caller).many(rows, with_id=True, through=True)
    for item in items:
        item.pop("destination", None)
        item["type"] = "service"
    return answer(items)


async def tags(call: Call) -> Response:
    rows = details.team_tags(call.standin.db, call.caller.team_id)
    return answer([detail_view.tag(row) for row in rows])


ROUTES = [
    ApiRoute("GET", "/version", "read", version),
    ApiRoute("POST", "/enable", "write", enable, api_may_be_off=True),
    ApiRoute("POST", "/disable", "write", disable, api_may_be_off=True),
    moved("/enable", "write"),
    moved("/disable", "write"),
    ApiRoute("GET", "/resources", "read", resources),
    ApiRoute("GET", "/tags", "read", tags),
]
