"""How etcd is started, and its own authentication: one user for Patroni, one for the exporter."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping

import httpx

from tests.compat.versions import DIRECTORY, SCOPE, Versions

ADMINISTRATOR, PATRONI, EXPORTER = "root", "patroni", "pgha_exporter"
NAMED = "node"
"""Who the cluster's certificates name."""
_READ = ("READ", f"/service/{SCOPE}/")
PERMISSIONS = {PATRONI: ("READWRITE", "/service/"), EXPORTER: _READ, NAMED: _READ}
OTHER_PORT = 2479
TOKEN_KEY = "token.key"
TOKEN_S = 10


def command(versions: Versions) -> list[str]:
    return _command(versions, "etcd1", 2379)


def other_command(versions: Versions, *more: str) -> list[str]:
    """A second etcd in the same container, with nothing in it."""
    return [*_command(versions, f"other-{secrets.token_hex(4)}", OTHER_PORT), *more]


def _command(versions: Versions, name: str, port: int) -> list[str]:
    peer = f"http://127.0.0.1:{port + 1}"
    return [
        versions.etcd_program,
        f"--name={name}",
        f"--data-dir={DIRECTORY}/{name}-data",
        f"--listen-client-urls={versions.scheme}://0.0.0.0:{port}",
        f"--advertise-client-urls={versions.scheme}://127.0.0.1:{port}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={name}={peer}",
        "--unsafe-no-fsync" if versions.etcd == "3.5" else "--logger=zap",
        *_tls(versions),
        *_tokens(versions),
    ]


def _tls(versions: Versions) -> list[str]:
    if not versions.tls:
        return []
    tls = f"{DIRECTORY}/tls"
    clients = [f"--trusted-ca-file={tls}/ca.crt", "--client-cert-auth"]
    return [
        f"--cert-file={tls}/server.crt",
        f"--key-file={tls}/server.key",
        *(clients if versions.client_certificates else []),
    ]


def _tokens(versions: Versions) -> list[str]:
    if not versions.login:
        return []
    jwt = f"jwt,sign-method=HS256,priv-key={DIRECTORY}/{TOKEN_KEY},ttl={TOKEN_S}s"
    ending = f"--auth-token={jwt}" if versions.jwt else f"--auth-token-ttl={TOKEN_S}"
    return ["--bcrypt-cost=4", ending]


def switch_on(client: httpx.Client, passwords: Mapping[str, str]) -> None:
    """Make the users, each with a role of its own name, and let nobody else in."""
    for user, password in passwords.items():
        _post(client, "auth/user/add", {"name": user, "password": password})
        _post(client, "auth/role/add", {"name": user})
        if user in PERMISSIONS:
            _post(client, "auth/role/grant", {"name": user, "perm": _permission(user)})
        _post(client, "auth/user/grant", {"user": user, "role": user})
    _post(client, "auth/enable", {})


def log_in(client: httpx.Client, user: str, password: str) -> str:
    """A token of the user."""
    answer = _post(client, "auth/authenticate", {"name": user, "password": password})
    return str(answer["token"])


def read(client: httpx.Client, token: str = "") -> httpx.Response:
    return client.post("/v3/kv/range", json={"key": _encoded(_KEY)}, headers=_headers(token))


def write(client: httpx.Client, token: str) -> httpx.Response:
    change = {"key": _encoded(_KEY), "value": _encoded("nobody")}
    return client.post("/v3/kv/put", json=change, headers=_headers(token))


_KEY = f"/service/{SCOPE}/leader"


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": token} if token else {}


def _permission(user: str) -> Mapping[str, str]:
    kind, prefix = PERMISSIONS[user]
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return {"permType": kind, "key": _encoded(prefix), "range_end": _encoded(end)}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _post(client: httpx.Client, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
    answer = client.post(f"/v3/{path}", json=body)
    assert answer.status_code == 200, f"{path}: {answer.text}"
    found: Mapping[str, object] = answer.json()
    return found
