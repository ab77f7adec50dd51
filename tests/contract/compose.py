"""Compose text as the API wants it."""

from __future__ import annotations

import base64


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
