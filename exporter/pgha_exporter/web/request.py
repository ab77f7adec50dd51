"""Read one HTTP/1.1 request from a socket: GET and HEAD, no body, with bounds on size and time."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

MAX_HEAD = 16384
MAX_HEADERS = 100
_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,2048}) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")


class BadRequestError(Exception):
    """The request cannot be answered but with this status."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


@dataclass(frozen=True)
class Request:
    """``path`` is without the query; header names are in lower case, the last of a name counts."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    keeps_alive: bool


def read_head(connection: socket.socket, already: bytes, seconds: float) -> tuple[bytes, bytes]:
    """The bytes up to the empty line, and those behind it.

    Args:
        already: what was received behind an earlier request.
        seconds: for the whole head, however slowly it drips.

    Raises:
        BadRequestError: 408 or 431.
        EOFError: the other side closed before the first byte, as it may.
    """
    deadline = time.monotonic() + seconds
    received = already
    while b"\r\n\r\n" not in received:
        if len(received) > MAX_HEAD:
            raise BadRequestError(431)
        left = deadline - time.monotonic()
        if left <= 0:
            raise BadRequestError(408)
        connection.settimeout(left)
        try:
            chunk = connection.recv(4096)
        except TimeoutError as err:
            raise BadRequestError(408) from err
        if not chunk:
            raise EOFError
        received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    if len(head) > MAX_HEAD:
        raise BadRequestError(431)
    return head, rest


def parse_head(head: bytes) -> Request:
    """Raises BadRequestError for anything that is not a request we answer."""
    first, *lines = head.lstrip(b"\r\n").split(b"\r\n")
    match = _LINE.fullmatch(first)
    if not match:
        raise BadRequestError(400)
    method, target, minor = match.groups()
    headers = _headers(lines)
    if method not in (b"GET", b"HEAD"):
        raise BadRequestError(405)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        # A body that nobody reads would be taken for the next request.
        raise BadRequestError(413)
    path, _, query = target.decode("ascii").partition("?")
    return Request(method.decode(), path, query, headers, _keeps_alive(minor, headers))


def _headers(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > MAX_HEADERS:
        raise BadRequestError(431)
    headers = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if not match:
            raise BadRequestError(400)
        name, value = match.groups()
        headers[name.decode("ascii").lower()] = value.decode("latin-1").strip()
    return headers


def _keeps_alive(minor: bytes, headers: Mapping[str, str]) -> bool:
    wish = headers.get("connection", "").lower()
    return "close" not in wish if minor == b"1" else "keep-alive" in wish
