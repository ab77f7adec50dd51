"""A dump made anywhere, made fit for a new cluster of ours while it streams by.

pg_dumpall restores into a server that has no roles but one. Ours has the product's own roles before
anything is restored, and they keep their passwords: otherwise the restore would cut off its own
login. What is changed is named, everything else passes as it is, and psql stops at the first error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from pgha.render.accounts import REPLICATOR, REWIND, SUPERUSER

OWN_ROLES = frozenset({SUPERUSER, REPLICATOR, REWIND})
"""What Patroni logs in with; the deploy sets every other role of the product right afterwards."""

FALLBACK_LOCALE = "C.UTF-8"

_IDENTIFIER = r'("(?:[^"]|"")+"|[^\s;]+)'
_ROLE = re.compile(rf"(CREATE|ALTER|DROP) ROLE {_IDENTIFIER}(.*)".encode(), re.DOTALL)
_DROP_DATABASE = re.compile(rf"DROP DATABASE {_IDENTIFIER};".encode())
_CREATE_DATABASE = re.compile(rf"CREATE DATABASE {_IDENTIFIER} ".encode())
_LOCALE = re.compile(rb"(LOCALE|LC_COLLATE|LC_CTYPE) = '([^']*)'")
_COPY = re.compile(rb"COPY .* FROM stdin;\r?\n?$")
_END_OF_COPY = b"\n\\.\n"
_ONE_DATABASE_BEGINS = b"-- PostgreSQL database dump\n"


@dataclass
class Adapter:
    """Streams a dump through; ``notes`` are sentences about what was changed.

    Args:
        roles: the roles that exist already.
        locales: the locales that the server knows; others become `FALLBACK_LOCALE`.
    """

    roles: Collection[str]
    locales: Collection[str]
    notes: list[str] = field(default_factory=list)
    _in_globals: bool = True

    def stream(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The dump, line by line outside of data, in large pieces inside of it."""
        rest, in_data = b"", False
        for block in blocks:
            text, position = rest + block, 0
            while (end := _end(text, position, in_data)) > position:
                piece, position = text[position:end], end
                yield piece if in_data else self._statement(piece)
                in_data = _goes_on(piece) if in_data else _COPY.match(piece) is not None
            rest = text[position:]
        if rest:
            yield rest if in_data else self._statement(rest)

    def _statement(self, line: bytes) -> bytes:
        if line == _ONE_DATABASE_BEGINS or line.startswith(b"\\connect"):
            self._in_globals = False
        if self._in_globals:
            line = self._role(line)
        if _CREATE_DATABASE.match(line):
            return self._database(line)
        return _DROP_DATABASE.sub(rb"DROP DATABASE IF EXISTS \1;", line)

    def _role(self, line: bytes) -> bytes:
        found = _ROLE.match(line)
        if not found:
            return line
        verb, name, rest = found[1], _unquoted(found[2]), found[3]
        if verb == b"CREATE" and name in self.roles:
            return b""
        if verb == b"DROP":
            return b"" if name in self.roles else b"DROP ROLE IF EXISTS " + found[2] + rest
        if name in OWN_ROLES and name in self.roles and rest.startswith(b" WITH "):
            return b""
        return line

    def _database(self, line: bytes) -> bytes:
        missing = {
            locale.decode(errors="replace")
            for _, locale in _LOCALE.findall(line)
            if _normal(locale.decode(errors="replace")) not in map(_normal, self.locales)
        }
        if not missing or b"LOCALE_PROVIDER = icu" in line:
            return line
        found = _CREATE_DATABASE.match(line)
        assert found is not None
        self.notes.append(
            f"Database {_unquoted(found[1])} was made with the locale {FALLBACK_LOCALE}, because "
            f"the image has no {', '.join(sorted(missing))}: text sorts by code point."
        )
        return _LOCALE.sub(rb"\1 = '" + FALLBACK_LOCALE.encode() + rb"'", line)


def _end(text: bytes, start: int, in_data: bool) -> int:
    """Where the next piece ends: a line, or as many whole lines of data as there are."""
    if not in_data:
        return text.find(b"\n", start) + 1
    if text.startswith(_END_OF_COPY[1:], start):
        return start + len(_END_OF_COPY) - 1
    end = text.find(_END_OF_COPY, start)
    return end + len(_END_OF_COPY) if end >= 0 else text.rfind(b"\n", start) + 1


def _goes_on(data: bytes) -> bool:
    return data != _END_OF_COPY[1:] and not data.endswith(_END_OF_COPY)


def _unquoted(identifier: bytes) -> str:
    text = identifier.decode(errors="replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _normal(locale: str) -> str:
    """``en_US.UTF-8`` and ``en_US.utf8`` are one."""
    return locale.lower().replace("-", "")
