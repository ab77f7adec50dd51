"""Volumes: renaming of named ones, binds as they are, storage rows (contract 3.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..settings import SERVICES_ROOT
from .guard import split_short
from .slug import slug

_BIND_STARTS = (".", "/", "~")
_DEFAULTED = re.compile(r"^\$\{[A-Za-z_][A-Za-z0-9_]*:-(?P<default>[^}]*)\}(?P<rest>.*)$")
_NO_STORAGE = ("/var/run/docker.sock", "/tmp")  # noqa: S108


@dataclass(frozen=True)
class Storage:
    """A row of /storages: persistent (`name`) or file (`fs_path`)."""

    service: str
    type: str
    mount_path: str
    name: str | None = None
    fs_path: str | None = None


@dataclass
class Volumes:
    """State of one parse: what was declared, and the mode of the last short volume (it leaks)."""

    uuid: str
    top_level: dict[str, Any]
    declared: dict[str, dict[str, str]]
    storages: list[Storage]
    leaked_mode: str | None = None

    def rewrite(self, service: str, volumes: list[Any]) -> list[Any]:
        return [self._one(service, volume) for volume in volumes]

    def _one(self, service: str, volume: Any) -> Any:
        if isinstance(volume, dict):
            return self._long(service, volume)
        source, rest = split_short(str(volume))
        if not rest:
            return self._bind(service, source, source, None)
        target, _, mode = rest.partition(":")
        self.leaked_mode = mode or None
        return self._short(service, source, target, mode or None)

    def _short(self, service: str, source: str, target: str, mode: str | None) -> str:
        if match := _DEFAULTED.match(source):
            source = match["default"] + match["rest"]
        if source.startswith(_BIND_STARTS):
            return self._bind(service, source, target, mode)
        return self._named(service, re.sub(r"[${}]", "", source), target, mode)

    def _bind(self, service: str, source: str, target: str, mode: str | None) -> str:
        path = self._absolute(source)
        if path not in _NO_STORAGE:
            self.storages.append(Storage(service, "file", target, fs_path=path))
        return _join(path, target, mode)

    def _named(self, service: str, name: str, target: str, mode: str | None) -> str:
        renamed = self._declare(name)
        self.storages.append(Storage(service, "persistent", target, name=renamed))
        return _join(renamed, target, mode)

    def _declare(self, name: str) -> str:
        renamed = f"{self.uuid}_{slug(name)}"
        self.declared[renamed] = {"name": renamed}
        return renamed

    def _long(self, service: str, volume: dict[str, Any]) -> Any:
        source, target = volume.get("source"), str(volume.get("target") or "")
        if volume.get("type") == "bind":
            return self._bind(service, str(source), target, self.leaked_mode)
        kept = {
            k: v for k, v in volume.items() if k not in ("content", "is_directory", "isDirectory")
        }
        if volume.get("type") == "volume" and source:
            kept["source"] = self._declare(str(source))
            self.storages.append(Storage(service, "persistent", target, name=kept["source"]))
        return kept

    def _absolute(self, source: str) -> str:
        if source.startswith("/"):
            return source
        relative = source.lstrip("~").removeprefix(".").lstrip("/")
        return f"{SERVICES_ROOT}/{self.uuid}/{relative}".rstrip("/")


def _join(source: str, target: str, mode: str | None) -> str:
    return f"{source}:{target}:{mode}" if mode else f"{source}:{target}"
