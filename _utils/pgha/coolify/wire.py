"""The one way to Coolify: send a request under the retry rule, hand back only good answers.

The rule is written in `pgha.coolify.retry`; the sentences for other answers in
`pgha.coolify.answers`. Bodies, headers and the token are never logged or quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import httpx

from pgha.coolify import answers
from pgha.coolify.retry import REPEATABLE_STATUSES, RequestBudget, RetryPolicy
from pgha.errors import (
    ConfigurationError,
    PghaError,
    TimedOutError,
    UnexpectedAnswerError,
    UnreachableError,
)

_CONNECT_TIMEOUT_S = 5.0


class Wire:
    """One Coolify and one token. Safe to share between threads; the repr names the address only."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        timeout: float,
        verify: bool,
        policy: RetryPolicy,
    ) -> None:
        self.url = url.rstrip("/").removesuffix("/api/v1")
        self.clock = clock
        self.sleep = sleep
        self.policy = policy
        self.budget = RequestBudget(clock=clock, sleep=sleep)
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={
                "Accept": "application/json",
                "Authorization": f"Bearer {_checked_token(token)}",
                "User-Agent": "pgha",
            },
            timeout=httpx.Timeout(timeout, connect=min(_CONNECT_TIMEOUT_S, timeout)),
            transport=transport,
            verify=verify,
            # A proxy of the environment would see the token.
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"Wire({self.url!r})"

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """Send one request under the retry rule; only 2xx and `accept` come back."""
        request = self._http.build_request(
            method,
            path,
            json=body,
            params=params,
            timeout=httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s,
        )
        response = _Attempts(self, request, what).run()
        if response.is_success or response.status_code in accept:
            return response
        raise answers.refusal(response, self.url, what)

    def exchange(self, request: httpx.Request) -> httpx.Response:
        self.budget.take()
        return self._http.send(request)

    def ask_list(self, path: str, what: str) -> list[Mapping[str, Any]]:
        return self.rows(self.send("GET", path, what=what), what)

    def rows(self, response: httpx.Response, what: str) -> list[Mapping[str, Any]]:
        body = answers.decoded(response, self.url, what)
        if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
            raise self._odd("a list", what)
        return body

    def ask_object(
        self, method: str, path: str, what: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        response = self.send(method, path, what=what, body=body)
        value = answers.decoded(response, self.url, what)
        if not isinstance(value, dict):
            raise self._odd("an object", what)
        return value

    def created(self, path: str, what: str, body: Mapping[str, Any]) -> str:
        uuid = self.ask_object("POST", path, what, body).get("uuid")
        if not isinstance(uuid, str) or not uuid:
            raise self._odd("a uuid", what)
        return uuid

    def queued(
        self, path: str, what: str, state: str, params: Mapping[str, str] | None = None
    ) -> bool:
        response = self.send("POST", path, what=what, params=params, accept={400})
        if response.is_success:
            return True
        if f"already {state}" in answers.message_of(response):
            return False
        raise answers.refusal(response, self.url, what)

    def _odd(self, wanted: str, what: str) -> UnexpectedAnswerError:
        return UnexpectedAnswerError(
            f"Coolify at {self.url} answered without {wanted} when asked to {what}: check that its "
            "version is 4.2.0 or newer and that coolify_url is its own address."
        )


class _Attempts:
    """The attempts at one request."""

    def __init__(self, wire: Wire, request: httpx.Request, what: str) -> None:
        self._wire = wire
        self._request = request
        self._what = what
        self._policy = wire.policy
        self._started = wire.clock()
        self._throttled_s = 0.0

    def run(self) -> httpx.Response:
        attempt = 1
        while True:
            response, failure, error = self._once()
            if response is not None and self._wait_for_throttle(response):
                continue
            elapsed = self._wire.clock() - self._started - self._throttled_s
            if failure is None or not self._policy.may_repeat(
                self._request.method, failure, attempt, elapsed
            ):
                break
            self._wire.sleep(self._policy.pause_s(attempt))
            attempt += 1
        if response is None:
            raise self._sentence(error) from error
        return response

    def _once(self) -> tuple[httpx.Response | None, str | None, Exception | None]:
        try:
            response = self._wire.exchange(self._request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return None, "not sent", error
        except httpx.HTTPError as error:
            return None, "unanswered", error
        unanswered = response.status_code in REPEATABLE_STATUSES
        return response, "unanswered" if unanswered else None, None

    def _wait_for_throttle(self, response: httpx.Response) -> bool:
        if response.status_code != 429:
            return False
        wait_s = self._policy.throttle_s(response.headers.get("Retry-After"), self._throttled_s)
        if wait_s is None:
            return False
        self._throttled_s += wait_s
        self._wire.sleep(wait_s)
        return True

    def _sentence(self, error: Exception | None) -> PghaError:
        where = f"Coolify at {self._wire.url}"
        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError | httpx.PoolTimeout):
            return UnreachableError(
                f"{where} cannot be reached to {self._what} ({error or 'connect time-out'}): check "
                "coolify_url, that Coolify runs, and the firewall between it and the controller."
            )
        if isinstance(error, httpx.TimeoutException):
            return TimedOutError(
                f"{where} took the request to {self._what} but did not answer in time: check "
                "Coolify's load and log (docker logs coolify) and run this again."
            )
        return UnreachableError(
            f"{where} closed the connection instead of answering the request to {self._what} "
            f"({type(error).__name__}): check coolify_url (http or https?) and run this again."
        )


def _checked_token(token: str) -> str:
    # An HTTP library quotes an illegal header value in its error, so such a token must not get
    # that far.
    token = token.strip()
    if not token or not all(33 <= ord(character) <= 126 for character in token):
        raise ConfigurationError(
            [f"The Coolify token is empty or not one line of text: {answers.TOKEN_ADVICE}."]
        )
    return token
