"""Headless Chromium, driven over W3C WebDriver by chromedriver, which speaks plain HTTP.

https://www.w3.org/TR/webdriver2/; chromedriver's own: ``goog/cdp/execute``, ``se/log``.
"""

from __future__ import annotations

import base64
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pgha.wait import Pending, poll

START_S = 30
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--no-proxy-server",
)  # fmt: skip


@dataclass(frozen=True)
class Browser:
    """One window."""

    session: httpx.Client

    def open(self, url: str) -> None:
        self._post("url", {"url": url})

    def show_as(self, width: int, height: int, scheme: str) -> None:
        """The size of the window in CSS pixels, and the colour scheme, light or dark."""
        self._cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._cdp("Emulation.setEmulatedMedia", {"features": features})

    def evaluate(self, script: str) -> Any:
        """What the body of a function returns, as JSON."""
        return self._post("execute/sync", {"script": script, "args": []})

    def console(self) -> list[str]:
        """What the page and the network said since the last call, at every level."""
        return [entry["message"] for entry in self._post("se/log", {"type": "browser"})]

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._value(self.session.get("screenshot"))))

    def _cdp(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._post("goog/cdp/execute", {"cmd": command, "params": parameters})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._value(self.session.post(path, json=body))

    @staticmethod
    def _value(answer: httpx.Response) -> Any:
        assert answer.status_code == 200, answer.text[:1000]
        return answer.json()["value"]


@contextmanager
def browser() -> Iterator[Browser]:
    """A new profile, gone afterwards with all its processes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="pgha-chromium-", ignore_cleanup_errors=True) as home:
        driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield from _session(f"http://127.0.0.1:{port}", home)
        finally:
            driver.terminate()
            driver.wait(10)


def _session(url: str, home: str) -> Iterator[Browser]:
    with httpx.Client(base_url=url, timeout=START_S, trust_env=False) as client:
        poll(lambda: _ready(client), deadline_s=START_S, interval_s=0.1, what="chromedriver")
        options = {"binary": "/usr/bin/chromium", "args": [*FLAGS, f"--user-data-dir={home}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = client.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
        assert answer.status_code == 200, answer.text[:1000]
        session = f"{url}/session/{answer.json()['value']['sessionId']}/"
        try:
            with httpx.Client(base_url=session, timeout=START_S, trust_env=False) as window:
                yield Browser(window)
        finally:
            client.delete(session)


def _ready(client: httpx.Client) -> bool | Pending:
    try:
        ready = client.get("/status").json()["value"]["ready"]
    except httpx.TransportError as err:
        return Pending(type(err).__name__)
    return bool(ready) or Pending("not ready")
