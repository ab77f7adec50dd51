"""Public ids."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_lowercase + string.digits


def new_public_id() -> str:
    """24 characters of [a-z0-9], what Coolify calls a uuid (not RFC 4122)."""
    return random_text(24)


def random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
