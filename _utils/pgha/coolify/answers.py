"""From an HTTP answer of Coolify to a value or to one sentence for the operator.

Bodies are never quoted: with `read:sensitive` they hold other people's compose files and Sentinel
tokens. What is quoted is Coolify's own `message` and the rule texts of a validation answer, both
bounded in length, both only from JSON answers with a status of 4xx.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpx

from pgha.errors import (
    ConflictError,
    NotFoundError,
    PghaError,
    RefusedError,
    UnexpectedAnswerError,
)

NEEDED_ABILITIES = ("read", "read:sensitive", "write", "deploy")
TOKEN_ADVICE = (
    "create one under Keys & Tokens > API tokens with "
    f"{', '.join(NEEDED_ABILITIES)} (or root) and write it to state/coolify/token"
)
_LONGEST_QUOTE = 200
_MISSING_ABILITY = "Missing required permissions:"


class MissingAbilityError(RefusedError):
    """The token is known but lacks an ability; `ability` is Coolify's name of it."""

    def __init__(self, message: str, ability: str) -> None:
        super().__init__(message)
        self.ability = ability

    def __reduce__(self) -> tuple[type[MissingAbilityError], tuple[str, str]]:
        return (type(self), (str(self), self.ability))


class InvalidTokenError(RefusedError):
    """Coolify does not know the token (wrong, expired or removed)."""


def decoded(response: httpx.Response, base_url: str, what: str) -> Any:
    """The JSON value of a 2xx answer.

    Raises:
        UnexpectedAnswerError: it is no JSON, for example a proxy's HTML page.
    """
    try:
        return json.loads(response.content)
    except ValueError as err:
        raise UnexpectedAnswerError(
            f"Coolify at {base_url} answered {_kind(response)} instead of JSON when asked to "
            f"{what}: check that coolify_url is Coolify's own address and no login page or proxy "
            "stands in front of it."
        ) from err


def refusal(response: httpx.Response, base_url: str, what: str) -> PghaError:
    """The error for an answer that is not 2xx."""
    status = response.status_code
    where = f"Coolify at {base_url}"
    if status == 401:
        return InvalidTokenError(
            f"{where} does not know the token: it is wrong or has expired (30 days by default); "
            f"{TOKEN_ADVICE}."
        )
    if status == 403:
        return _forbidden(message_of(response), where, what)
    if status == 429:
        return _throttled(response, where, what)
    if 300 <= status < 400:
        return _redirected(response, where)
    if status >= 500:
        return UnexpectedAnswerError(
            f"{where} failed ({status}, {_kind(response)}) when asked to {what}: look at "
            "Coolify's own log (docker logs coolify) and run this again."
        )
    return _told(response, where, what)


def message_of(response: httpx.Response) -> str:
    """Coolify's own `message` (plus rule texts), bounded; empty when there is none."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    texts = [body.get("message"), body.get("error"), *_rule_texts(body.get("errors"))]
    return " ".join(text for text in texts if isinstance(text, str) and text)[:_LONGEST_QUOTE]


def _rule_texts(errors: Any) -> Iterable[str]:
    # Coolify sends a mapping of lists, a mapping of strings, or a bare list (contract 1.2).
    if isinstance(errors, list):
        yield from (text for text in errors if isinstance(text, str))
    elif isinstance(errors, dict):
        for key, value in errors.items():
            first = value[0] if isinstance(value, list) and value else value
            yield f"{key}: {first}" if isinstance(first, str) else str(key)


def _forbidden(message: str, where: str, what: str) -> PghaError:
    if message.startswith(_MISSING_ABILITY):
        ability = message.removeprefix(_MISSING_ABILITY).strip()
        return MissingAbilityError(
            f"The token for {where} lacks the ability {ability}, needed to {what}; {TOKEN_ADVICE}.",
            ability,
        )
    if "API is disabled" in message:
        return RefusedError(
            f"The API of {where} is switched off: switch it on under Settings > Configuration > "
            "Advanced > API access."
        )
    if "not allowed to access the API" in message:
        return RefusedError(
            f"{where} does not accept this server's address: add it under Settings > "
            "Configuration > Advanced > allowed IPs."
        )
    if "team role" in message:
        return RefusedError(
            f"The token for {where} belongs to a user who is only a member of its team: make the "
            f"user admin or owner, or {TOKEN_ADVICE} as one."
        )
    return RefusedError(
        f"{where} refused to {what} (403{_quoted(message)}): check the token's team and abilities."
    )


def _throttled(response: httpx.Response, where: str, what: str) -> PghaError:
    seconds = response.headers.get("Retry-After", "60")
    return RefusedError(
        f"{where} has had too many requests (429) and did not {what}: run this again in "
        f"{seconds} seconds, or raise API_RATE_LIMIT in Coolify's environment."
    )


def _redirected(response: httpx.Response, where: str) -> PghaError:
    target = urlsplit(response.headers.get("Location", ""))
    to = f"{target.scheme}://{target.netloc}" if target.netloc else "another page"
    return UnexpectedAnswerError(
        f"{where} redirects to {to}: put Coolify's final address into coolify_url."
    )


def _told(response: httpx.Response, where: str, what: str) -> PghaError:
    status = response.status_code
    text = f"{where} refused to {what} ({status}{_quoted(message_of(response))})"
    if status == 404:
        return NotFoundError(f"{text}: check coolify_url and that the thing still exists.")
    if status == 409:
        return ConflictError(f"{text}: resolve the conflict in Coolify and run this again.")
    return RefusedError(f"{text}.")


def _quoted(message: str) -> str:
    return f', "{message}"' if message else ""


def _kind(response: httpx.Response) -> str:
    kind = str(response.headers.get("Content-Type", "")).split(";")[0].strip()
    return {"text/html": "an HTML page", "application/json": "JSON"}.get(kind, kind or "no type")
