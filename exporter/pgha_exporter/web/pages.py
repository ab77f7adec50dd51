"""What each path answers."""

from __future__ import annotations

import zlib

from pgha_exporter.exporter import BUDGET_S, Exporter
from pgha_exporter.web.home import home
from pgha_exporter.web.request import Request
from pgha_exporter.web.server import Response

MARGIN_S = 0.5
MIN_BUDGET_S = 0.3


class Pages:
    """The handler of `pgha_exporter.web.server.Server`."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    def __call__(self, request: Request) -> Response:
        if request.path == "/metrics":
            return self._metrics(request)
        if request.path == "/-/healthy":
            return Response(200, b"The exporter runs.\n")
        if request.path == "/-/ready":
            return self._ready()
        if request.path == "/":
            return self._home()
        return Response(404, b"There is /, /metrics, /-/healthy and /-/ready.\n")

    def _metrics(self, request: Request) -> Response:
        content, content_type = self._exporter.metrics(
            request.headers.get("accept", ""), budget(request)
        )
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(200, content, content_type)
        # Level 1 makes a tenth of it in a sixth of level 9's time.
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        packed = packer.compress(content) + packer.flush()
        return Response(200, packed, content_type, {"Content-Encoding": "gzip"})

    def _ready(self) -> Response:
        if self._exporter.is_ready:
            return Response(200, b"There has been a collection.\n")
        self._exporter.collect()
        return Response(200, b"There has been a collection.\n")

    def _home(self) -> Response:
        page = home(self._exporter.settings, self._exporter.collect())
        policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        content = page.encode("utf-8", "replace")
        headers = {"Content-Security-Policy": policy}
        return Response(200, content, "text/html; charset=utf-8", headers)


def budget(request: Request) -> float:
    """What the scraper's own timeout leaves, in seconds."""
    try:
        timeout = float(request.headers.get("x-prometheus-scrape-timeout-seconds", ""))
    except ValueError:
        return BUDGET_S
    return min(max(timeout - MARGIN_S, MIN_BUDGET_S), BUDGET_S) if timeout == timeout else BUDGET_S
