"""The routes through the public hostname."""

from __future__ import annotations

from pgha_exporter.names.metric import gauge

ROUTES = ("rw", "ro")

ROUTE_OK = gauge(
    "pgha_route_ok",
    "1 when a connection through the public hostname reaches a server of this cluster in the right "
    "role: rw the writable leader, ro any answering member.",
    "route",
    view="own",
    route=ROUTES,
)
ROUTE_DURATION = gauge(
    "pgha_route_duration_seconds",
    "How long the route took to connect and answer; absent when it failed.",
    "route",
    view="own",
    route=ROUTES,
)
