"""What the Coolify stand-in is given: servers, a key to them, tokens (lab/coolify/README.md)."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import string
from collections.abc import Mapping
from pathlib import Path

from lab.identity import Facts, known_hosts
from lab.instance import COOLIFY_PORT, Instance, Server
from lab.servers import InsideFile, run

DIRECTORY = "/etc/coolify-lab"
SEED = f"{DIRECTORY}/seed.json"
SOURCE = f"{DIRECTORY}/source"

#: What the product needs of a token; docs say the same to people who make one in a real Coolify.
ABILITIES = ("read", "read:sensitive", "write", "deploy")
_SECRET_LENGTH = 40


def is_there(instance: Instance) -> bool:
    """Whether this checkout has a stand-in to start."""
    return (instance.root / "lab" / "coolify" / "__main__.py").exists()


def token_path(instance: Instance) -> Path:
    """The token that the product uses; read by the Salt master."""
    return instance.state_dir / "coolify" / "token"


def blind_token_path(instance: Instance) -> Path:
    """A token without ``read:sensitive``, for trying what the product says to one."""
    return instance.directory / "coolify-token-without-sensitive"


def ensure_token(path: Path, number: int) -> str:
    """The token in ``path``, made (0600) when missing: ``<number>|<40 letters and digits>``."""
    if path.exists():
        return path.read_text().strip()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    alphabet = string.ascii_letters + string.digits
    token = f"{number}|" + "".join(secrets.choice(alphabet) for _ in range(_SECRET_LENGTH))
    partial = path.with_name(path.name + ".new")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token)
    partial.rename(path)
    return token


def stand_in_files(instance: Instance, everyone: Mapping[Server, Facts]) -> list[InsideFile]:
    """Everything below /etc/coolify-lab on the controller, apart from the SSH key made there."""
    listen = f"LISTEN_HOST=0.0.0.0\nLISTEN_PORT={COOLIFY_PORT}\nLISTEN_OPTIONS=--faults\n"
    return [
        InsideFile(f"{DIRECTORY}/known_hosts", known_hosts(everyone), 0o600),
        InsideFile(f"{DIRECTORY}/listen", listen),
        InsideFile(SEED, seed(instance), 0o600),
        InsideFile(SOURCE, source_hash(instance) + "\n"),
    ]


def seed(instance: Instance) -> str:
    """The seed file's text."""
    tokens = [
        {
            "token": ensure_token(token_path(instance), 1),
            "name": "deployer",
            "abilities": list(ABILITIES),
        },
        {
            "token": ensure_token(blind_token_path(instance), 2),
            "name": "without read:sensitive",
            "abilities": [ability for ability in ABILITIES if ability != "read:sensitive"],
        },
    ]
    content = {
        "servers": [
            {"name": server.host, "ip": server.ip, "port": 22, "user": "root"}
            for server in instance.servers
        ],
        "ssh_key": f"{DIRECTORY}/id_ed25519",
        "known_hosts": f"{DIRECTORY}/known_hosts",
        "tokens": tokens,
    }
    return json.dumps(content, indent=2) + "\n"


def source_hash(instance: Instance) -> str:
    """Changes with the stand-in's code, which is mounted and must be started anew to be seen."""
    return hash_of(instance.root / "lab" / "coolify")


def hash_of(*folders: Path) -> str:
    """SHA-256 over the Python files of some folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"\0{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def answers(instance: Instance) -> bool:
    """Whether the stand-in says OK, asked from the controller itself."""
    command = [
        "curl",
        "--fail",
        "--silent",
        "--max-time",
        "5",
        f"{instance.coolify_url}/api/health",
    ]
    done = run(instance, instance.controller, command)
    return done.returncode == 0 and done.stdout.strip().strip('"') == "OK"
