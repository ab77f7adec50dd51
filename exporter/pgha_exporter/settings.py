"""The exporter's configuration: a YAML file, overridden by the environment, checked as a whole.

Every key can be in the file (flat, as named here) or in the environment as
``PGHA_EXPORTER_<KEY IN CAPITALS>``, lists separated by commas. Needed are ``scope`` and ``member``;
with ``postgres_dsn`` and ``etcd_endpoints`` they are the four settings that point the exporter at
any Patroni cluster whose REST API is at the default address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from pgha_exporter.errors import SettingsError

PREFIX = "PGHA_EXPORTER_"
PROTOCOLS = ("auto", "grpc", "http")
_SERVED = re.compile(r"(postgres:)?(([\w.-]+|\[[0-9a-fA-F:.]+\]):)?\d{1,5}")
LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """All of it. Files are absolute paths; an empty text means "not set"; ports are TCP.

    Attributes:
        scope: Patroni's name of the cluster.
        member: Patroni's name of this node.
        namespace: Patroni's namespace in etcd.
        members_expected: how many members the cluster should have; 0 for the most ever seen.
        state_directory: where the most ever seen is kept; empty to forget it at each start.
        web_listen: address:port to listen on.
        web_config_file: TLS and basic auth, in the format of Prometheus' exporter-toolkit.
        patroni_url, patroni_ca_file: this node's REST API; the CA also verifies other members.
        postgres_dsn, postgres_password_file: this node's PostgreSQL itself, not a pooler.
        etcd_endpoints: URL of every etcd member, voters and learners.
        etcd_ca_file, etcd_cert_file, etcd_key_file: TLS of etcd.
        etcd_username, etcd_password_file: where etcd asks for them.
        etcd_protocol: http, grpc, or auto for grpc only where etcd's HTTP gateway refuses and etcd3
            is installed.
        etcd_quota_bytes: etcd's quota-backend-bytes; etcd before 3.6 does not tell.
        route_host, route_rw_port, route_ro_port, route_ca_file: what applications connect to.
        certificate_directory: every ``*.crt`` below it is watched.
        served_ports: ``[postgres:][address:]port`` of this node whose certificate is watched, with
            ``postgres:`` where PostgreSQL's protocol is spoken; the address is 127.0.0.1.
        data_directory, wal_directory: any directory on those file systems.
        backup_status_file: written by whoever makes backups; empty where none are made.
        log_level: debug, info, warning or error.
    """

    scope: str = ""
    member: str = ""
    namespace: str = "service"
    members_expected: int = 0
    state_directory: str = ""
    web_listen: str = "127.0.0.1:8010"
    web_config_file: str = ""
    patroni_url: str = "http://127.0.0.1:8008"
    patroni_ca_file: str = ""
    postgres_dsn: str = "host=127.0.0.1 port=5432 dbname=postgres user=pgha_monitor"
    postgres_password_file: str = ""
    etcd_endpoints: tuple[str, ...] = ()
    etcd_ca_file: str = ""
    etcd_cert_file: str = ""
    etcd_key_file: str = ""
    etcd_username: str = ""
    etcd_password_file: str = ""
    etcd_protocol: str = "auto"
    etcd_quota_bytes: int = 2 * 1024**3
    route_host: str = ""
    route_rw_port: int = 5432
    route_ro_port: int = 5433
    route_ca_file: str = ""
    certificate_directory: str = ""
    served_ports: tuple[str, ...] = ()
    data_directory: str = ""
    wal_directory: str = ""
    backup_status_file: str = ""
    log_level: str = "info"

    @property
    def listen(self) -> tuple[str, int]:
        return split_address(self.web_listen)


def load(path: str | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the file (None for none) and the environment, and check everything.

    Raises:
        SettingsError: with every problem found.
    """
    environment = os.environ if environment is None else environment
    given, problems = _from_file(path) if path else ({}, [])
    given |= {
        name.removeprefix(PREFIX).lower(): text
        for name, text in environment.items()
        if name.startswith(PREFIX) and name != f"{PREFIX}CONFIG"
    }
    values: dict[str, Any] = {}
    known = {setting.name: setting for setting in fields(Settings)}
    for name, raw in given.items():
        if name not in known:
            problems.append(f"{name} is not a setting; the settings are {', '.join(known)}.")
            continue
        try:
            values[name] = _converted(raw, known[name].default)
        except ValueError as err:
            problems.append(f"{name} is {raw!r}: {err}.")
    settings = Settings(**values)
    problems += check(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def check(settings: Settings) -> list[str]:
    """Every problem of the values, as sentences that begin with the setting's name."""
    return [
        *_names(settings),
        *_choices(settings),
        *_addresses(settings),
        *_files(settings),
    ]


def split_address(text: str) -> tuple[str, int]:
    """``host:port`` or ``[IPv6]:port``; an empty host means all addresses.

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ValueError(f"{text!r} is not an address and port, such as 127.0.0.1:8010")
    return host.strip("[]"), int(port)


def _from_file(path: str) -> tuple[dict[str, Any], list[str]]:
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as err:
        return {}, [f"{path} cannot be read: {err}."]
    except yaml.YAMLError as err:
        return {}, [f"{path} is not YAML: {' '.join(str(err).split())}."]
    if content is None:
        return {}, []
    if not isinstance(content, dict):
        return {}, [f"{path} must be a list of settings, such as scope: main."]
    return {str(name): value for name, value in content.items()}, []


def _converted(raw: Any, default: Any) -> Any:
    if isinstance(default, int):
        return _number(raw)
    if isinstance(default, tuple):
        return _list(raw)
    if raw is None:
        return ""
    if not isinstance(raw, str | int):
        raise ValueError("it must be text")
    return str(raw)


def _number(raw: Any) -> int:
    if isinstance(raw, bool) or not re.fullmatch(r"\d{1,15}", str(raw).strip()):
        raise ValueError("it must be a whole number")
    return int(raw)


def _list(raw: Any) -> tuple[str, ...]:
    if raw is None:
        return ()
    parts = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(parts, list) or not all(isinstance(part, str | int) for part in parts):
        raise ValueError("it must be a list of texts")
    return tuple(text for part in parts if (text := str(part).strip()))


def _names(settings: Settings) -> list[str]:
    return [
        f"{name} is missing: {text}."
        for name, text in (
            ("scope", "it is Patroni's scope, as `patronictl list` shows in its first line"),
            ("member", "it is this node's name in Patroni"),
        )
        if not getattr(settings, name)
    ]


def _choices(settings: Settings) -> list[str]:
    return [
        f"{name} is {getattr(settings, name)!r}: it must be one of {', '.join(allowed)}."
        for name, allowed in (("etcd_protocol", PROTOCOLS), ("log_level", LEVELS))
        if getattr(settings, name) not in allowed
    ]


def _addresses(settings: Settings) -> list[str]:
    problems = [
        f"{name} is {url!r}: it must be http://host:port or https://host:port."
        for name, url in (
            ("patroni_url", settings.patroni_url),
            *(("etcd_endpoints", endpoint) for endpoint in settings.etcd_endpoints),
        )
        if not _is_url(url)
    ]
    problems += _complaint("web_listen", lambda: split_address(settings.web_listen))
    for port in settings.served_ports:
        if not _SERVED.fullmatch(port):
            problems.append(f"served_ports has {port!r}: it must be [postgres:][address:]port.")
    for name in ("route_rw_port", "route_ro_port"):
        if not 0 < getattr(settings, name) < 65536:
            problems.append(f"{name} is {getattr(settings, name)}: it must be a port.")
    return problems


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        return False


def _complaint(name: str, call: Callable[[], object]) -> list[str]:
    try:
        call()
    except ValueError as err:
        return [f"{name} is wrong: {err}."]
    return []


def _files(settings: Settings) -> list[str]:
    """Files that must be there at the start. Certificates are read again at each connection."""
    problems = []
    for name in (item.name for item in fields(Settings) if item.name.endswith("_file")):
        path = getattr(settings, name)
        # The first backup creates this one.
        if path and name != "backup_status_file" and not os.access(path, os.R_OK):
            problems.append(f"{name} is {path}: the file cannot be read by this user.")
    if bool(settings.etcd_cert_file) != bool(settings.etcd_key_file):
        problems.append("etcd_cert_file and etcd_key_file must be given together.")
    return problems
