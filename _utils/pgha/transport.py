"""One HTTP(S) server asked for JSON, with a bound that holds whatever the server does.

Patroni and etcd stop answering when the storage or the quorum below them hangs: they accept the
connection and then stay silent. httpx bounds each network step, not the whole call, so the call
runs in a thread of its own and is abandoned when the time is over; the thread then ends by its own
step limits. Used by the Patroni and etcd clients.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from pgha.errors import DamagedStateError, NotFoundError, UnexpectedAnswerError, UnreachableError

CONNECT_TIMEOUT_S = 2.0
TOTAL_TIMEOUT_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class TlsFiles:
    """Paths of the CA that signs the server and, for mutual TLS, of our certificate and key."""

    ca_file: str
    cert_file: str | None = None
    key_file: str | None = None

    def context(self) -> ssl.SSLContext:
        """The TLS settings of a client that verifies certificate and host name.

        Raises:
            NotFoundError: a file does not exist.
            DamagedStateError: a file is not a certificate or key that fits.
        """
        for path in filter(None, (self.ca_file, self.cert_file, self.key_file)):
            if not Path(path).exists():
                raise NotFoundError(
                    f"{path} does not exist on this server; run the deploy, which writes it."
                )
        return self._loaded()

    def _loaded(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as err:
            used = ", ".join(filter(None, (self.ca_file, self.cert_file, self.key_file)))
            raise DamagedStateError(
                f"One of {used} cannot be used for TLS ({err}); run the deploy, which "
                "rewrites them."
            ) from err
        return context


@dataclass(frozen=True)
class Answer:
    """Status code and body text as received; ``source`` names the server for error sentences."""

    status: int
    text: str
    source: str

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            UnexpectedAnswerError: the body is not JSON.
        """
        try:
            return json.loads(self.text)
        except ValueError as err:
            raise UnexpectedAnswerError(
                f"{self.source} answered {self.status} with something that is not JSON; "
                "check what listens on that port."
            ) from err


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, what to call it in sentences and how long to wait.

    Args:
        base_url: for example ``https://172.28.0.20:8008``.
        what: the server's name in error sentences, for example ``Patroni on app-server-1.lan``.
        hint: the end of the sentence when it does not answer: what the operator does next.
        auth: user name and password (basic authentication); never shown.
        timeout_s: bound of the whole call in seconds.
        transport: replaces the network in tests.
    """

    base_url: str
    what: str
    hint: str
    tls: TlsFiles | None = None
    auth: tuple[str, str] | None = field(default=None, repr=False)
    timeout_s: float = TOTAL_TIMEOUT_S
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        return f"{self.what} ({self.base_url})"

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Ask once; never repeats a request.

        Raises:
            UnreachableError: no connection, a TLS failure, no complete answer within the bound.
            NotFoundError, DamagedStateError: see `TlsFiles.context`.
        """
        seconds = timeout_s or self.timeout_s
        # Reading the system's CAs takes longer than a request; plain HTTP does without.
        verify = self.tls.context() if self.tls else self.base_url.startswith("https")

        def call() -> Answer:
            return self._ask(method, path, body, seconds, verify)

        try:
            return within(seconds, call)
        except (TimeoutError, httpx.TimeoutException) as err:
            raise UnreachableError(
                f"{self.source} did not answer within {seconds:g} s; {self.hint}."
            ) from err
        except httpx.RemoteProtocolError as err:
            raise UnreachableError(
                f"{self.source} closed the connection without a complete answer; {self.hint}."
            ) from err
        except httpx.TransportError as err:
            raise UnreachableError(f"{self.source} cannot be reached: {err}; {self.hint}.") from err

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        seconds: float,
        verify: ssl.SSLContext | bool,
    ) -> Answer:
        timeout = httpx.Timeout(seconds, connect=min(CONNECT_TIMEOUT_S, seconds))
        # Proxies of the environment are for the internet, never for a cluster's own servers.
        with httpx.Client(
            base_url=self.base_url,
            verify=verify,
            timeout=timeout,
            auth=self.auth,
            transport=self.transport,
            trust_env=False,
        ) as client:
            response = client.request(method, path, json=body)
            return Answer(response.status_code, response.text, self.source)


def within(seconds: float, call: Callable[[], T]) -> T:
    """The call's result, or `TimeoutError` when it takes longer.

    The call goes on in a daemon thread after that, so it must end by itself at some time.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as err:
            failure.append(err)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError(f"no result within {seconds:g} s")
    return outcome[0]


def in_parallel(calls: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """Run every call at once in a thread of its own and return the results by name.

    Each call must be bounded; the slowest one sets the duration. The first error is raised when
    all have ended.
    """
    results: dict[str, T] = {}
    failures: list[BaseException] = []

    def keep(name: str, call: Callable[[], T]) -> None:
        try:
            results[name] = call()
        except BaseException as err:
            failures.append(err)

    threads = [
        threading.Thread(target=keep, args=(name, call), daemon=True)
        for name, call in calls.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return {name: results[name] for name in calls}
