"""One line per API request: time, method, path, status, milliseconds.

No query, no body, no token.
"""

from __future__ import annotations

import time
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..clock import Clock, iso


class RequestLog:
    """ASGI wrapper. `/__lab__` is not logged, so that looking does not change the count."""

    def __init__(self, app: ASGIApp, path: Path, clock: Clock) -> None:
        self._app, self._clock = app, clock
        self._file = path.open("a", encoding="utf-8", buffering=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/__lab__"):
            await self._app(scope, receive, send)
            return
        status = 0
        started = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._write(scope, status, (time.perf_counter() - started) * 1000)

    def _write(self, scope: Scope, status: int, milliseconds: float) -> None:
        path = scope["path"].encode("ascii", "backslashreplace").decode()
        path = "".join(char if char.isprintable() and char != " " else "?" for char in path)
        now = iso(self._clock.now())
        self._file.write(f"{now} {scope['method']} {path} {status or '-'} {milliseconds:.0f}ms\n")
