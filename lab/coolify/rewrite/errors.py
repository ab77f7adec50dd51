"""What the rewriting can raise."""

from __future__ import annotations


class ParserError(Exception):
    """Coolify's parser throws here: the API answers 500 and what was saved before stays."""
