"""Scrape metrics as Prometheus does, on a server of the lab: ``python - < settings``.

Uses the standard library only. Settings are one JSON object on standard input, so that passwords
are on no command line:

    {"targets": [{"name", "url", "ca", "user", "password", "pid"}], "rounds", "pause_s", "threads"}

Every thread keeps one connection to each target and scrapes them one after the other, ``rounds``
times, ``pause_s`` apart. Prints ``{name: {"ms": [...], "bytes", "series", "errors": [...],
"cpu_s", "rss_mib", "seconds"}}``; ``ms`` are the times of single scrapes, ``cpu_s`` and
``rss_mib`` are those of the process ``pid`` (0: not measured).
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import ssl
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

Target = dict[str, Any]
TIMEOUT_S = 10
PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "Accept-Encoding": "gzip",
    "X-Prometheus-Scrape-Timeout-Seconds": str(TIMEOUT_S),
}
"""What Prometheus 2 asks with, unless its configuration says otherwise."""


class Scraper:
    """One connection to one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._url = urlsplit(target["url"])
        self._connection = self._connected()

    def scrape(self) -> tuple[float, bytes]:
        """Seconds until the whole answer is there, and the answer."""
        started = time.perf_counter()
        self._connection.request("GET", self._url.path, headers=self._headers())
        answer = self._connection.getresponse()
        content = answer.read()
        seconds = time.perf_counter() - started
        if answer.status != 200:
            raise OSError(f"HTTP {answer.status}")
        packed = answer.headers.get("Content-Encoding") == "gzip"
        return seconds, gzip.decompress(content) if packed else content

    def renew(self) -> None:
        self._connection.close()
        self._connection = self._connected()

    def _connected(self) -> http.client.HTTPConnection:
        if self._url.scheme == "http":
            return http.client.HTTPConnection(self._url.netloc, timeout=TIMEOUT_S)
        context = ssl.create_default_context(cafile=self._target["ca"])
        return http.client.HTTPSConnection(self._url.netloc, timeout=TIMEOUT_S, context=context)

    def _headers(self) -> dict[str, str]:
        if not self._target.get("user"):
            return PROMETHEUS
        login = f"{self._target['user']}:{self._target['password']}".encode()
        return {**PROMETHEUS, "Authorization": f"Basic {base64.b64encode(login).decode()}"}


def cpu_s(pid: int) -> float:
    """User and system time of a process: proc(5), fields 14 and 15 of stat."""
    if not pid:
        return 0.0
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    if not pid:
        return 0.0
    with open(f"/proc/{pid}/status") as file:
        line = next(line for line in file if line.startswith("VmRSS:"))
    return round(int(line.split()[1]) / 1024, 1)


def work(settings: dict[str, Any], results: dict[str, Any]) -> None:
    scrapers = {target["name"]: Scraper(target) for target in settings["targets"]}
    due = time.monotonic()
    for _ in range(settings["rounds"]):
        for name, scraper in scrapers.items():
            try:
                seconds, content = scraper.scrape()
            except (OSError, http.client.HTTPException) as error:
                results[name]["errors"].append(f"{type(error).__name__}: {error}")
                scraper.renew()
                continue
            results[name]["ms"].append(round(seconds * 1000, 2))
            results[name]["content"] = content
        due += settings["pause_s"]
        time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    settings = json.load(sys.stdin)
    targets = settings["targets"]
    results: dict[str, Any] = {t["name"]: {"ms": [], "errors": [], "content": b""} for t in targets}
    before = {target["name"]: cpu_s(target["pid"]) for target in targets}
    started = time.monotonic()
    threads = [
        threading.Thread(target=work, args=(settings, results)) for _ in range(settings["threads"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for target in targets:
        result = results[target["name"]]
        lines = result.pop("content").splitlines()
        result["series"] = sum(1 for line in lines if line and not line.startswith(b"#"))
        result["bytes"] = sum(len(line) + 1 for line in lines)
        result["cpu_s"] = cpu_s(target["pid"]) - before[target["name"]]
        result["rss_mib"] = rss_mib(target["pid"])
        result["seconds"] = time.monotonic() - started
    print(json.dumps(results))


main()
