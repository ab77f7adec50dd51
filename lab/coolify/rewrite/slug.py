"""Laravel's Str::slug for the names that go into labels and volumes."""

from __future__ import annotations

import re
import unicodedata


def slug(text: str) -> str:
    """Lower case; `_` and blanks become `-`; other punctuation goes: My_App.x -> my-appx."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    dashed = ascii_text.replace("_", "-").replace("@", "-at-").lower()
    kept = re.sub(r"[^-a-z0-9\s]+", "", dashed)
    return re.sub(r"[-\s]+", "-", kept).strip("-")
