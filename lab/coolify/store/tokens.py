"""Tokens: only a SHA-256 of the secret is kept."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timezone

from ..settings import SeedToken
from .database import Database


@dataclass(frozen=True)
class Caller:
    """Who asks: what the token allows and in whose name."""

    user: str
    team_id: int
    role: str
    abilities: frozenset[str]

    def can(self, ability: str) -> bool:
        return "root" in self.abilities or ability in self.abilities

    @property
    def is_admin(self) -> bool:
        return self.role in ("owner", "admin")

    @property
    def sees_sensitive(self) -> bool:
        return self.can("read:sensitive")


def save(db: Database, token: SeedToken) -> None:
    number, _, secret = token.token.partition("|")
    db.run("DELETE FROM tokens WHERE id = ?", int(number))
    db.insert(
        "tokens",
        {
            "id": int(number),
            "name": token.name,
            "secret_sha256": _digest(secret),
            "user": token.user,
            "team_id": token.team,
            "role": token.role,
            "abilities": json.dumps(sorted(token.abilities)),
            "expires_at": token.expires_at,
        },
    )


def find(db: Database, token: str, now: float) -> Caller | None:
    """The caller behind `<id>|<secret>`, or None (unknown, wrong or expired)."""
    number, separator, secret = token.partition("|")
    if not (separator and number.isascii() and number.isdigit() and len(number) < 15):
        return None
    row = db.one("SELECT * FROM tokens WHERE id = ?", int(number))
    if row is None or not hmac.compare_digest(row["secret_sha256"], _digest(secret)):
        return None
    if row["expires_at"] and _seconds(row["expires_at"]) <= now:
        return None
    return Caller(
        user=row["user"],
        team_id=row["team_id"],
        role=row["role"],
        abilities=frozenset(json.loads(row["abilities"])),
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.timestamp()
