"""One member's Patroni REST API.

Retry rule: no request is repeated here. Reads are repeated by whoever waits (`pgha.patroni.waits`);
``PATCH /config`` answers 409 when another change came between, and the caller then reads, compares
and patches again, because the right patch may have become another one.

Reference: https://patroni.readthedocs.io/en/latest/rest_api.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from pgha.errors import ConflictError, RefusedError, UnexpectedAnswerError
from pgha.patroni.models import Cluster, HistoryLine, MemberStatus
from pgha.transport import TOTAL_TIMEOUT_S, Answer, Endpoint, TlsFiles


class PatroniClient:
    """Verbs of one member.

    Args:
        base_url: ``https://<node ip>:8008``.
        ca_file: the CA that signed Patroni's certificate; None for plain HTTP.
        username, password: for the verbs that change something.
        timeout: bound of each call in seconds.
        where: the server's name for error sentences.

    Every method raises `UnreachableError` when Patroni does not answer within the bound,
    `RefusedError` when it says no and `UnexpectedAnswerError` when something else listens there.
    """

    def __init__(
        self,
        base_url: str,
        ca_file: str | None = None,
        username: str | None = None,
        password: str | None = None,
        timeout: float = TOTAL_TIMEOUT_S,
        *,
        where: str = "this server",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = Endpoint(
            base_url=base_url,
            what=f"Patroni on {where}",
            hint="see `pgha-logs patroni` there",
            tls=TlsFiles(ca_file) if ca_file else None,
            auth=(username, password) if username and password else None,
            timeout_s=timeout,
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"PatroniClient({self._endpoint.base_url!r})"

    @property
    def source(self) -> str:
        """What the member is called in sentences."""
        return self._endpoint.source

    def cluster(self) -> Cluster:
        """All members as etcd has them; needs no working PostgreSQL."""
        return Cluster.from_json(_object(self._read("/cluster"), "members"))

    def member(self) -> MemberStatus:
        """The member itself, asked of its PostgreSQL; hangs (until the bound) when that hangs."""
        return MemberStatus.from_json(_object(self._read("/patroni"), "state"))

    def history(self) -> tuple[HistoryLine, ...]:
        """Every timeline change since the cluster was created, oldest first."""
        lines = self._read("/history").json()
        return tuple(HistoryLine.from_json(line) for line in lines)

    def config(self) -> dict[str, Any]:
        """The dynamic configuration in etcd."""
        return _object(self._read("/config"))

    def is_primary(self) -> bool:
        """True when the member holds the leader key and PostgreSQL accepts writes.

        Patroni answers 200 for yes and 503 for no.
        """
        return self._endpoint.request("GET", "/primary").status == 200

    def patch_config(self, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge into the dynamic configuration (None removes a key); returns the whole of it.

        Raises:
            ConflictError: someone else changed it at the same time; read it again.
        """
        return _object(self._change("PATCH", "/config", patch))

    def reload(self) -> None:
        """Have the member read its configuration file again; Patroni does it shortly after."""
        self._change("POST", "/reload")

    def restart(self, *, only_if_pending: bool = True) -> None:
        """Restart PostgreSQL below this member; Patroni answers when it is up again."""
        self._change("POST", "/restart", {"restart_pending": True} if only_if_pending else {})

    def reinitialize(self) -> None:
        """Have a replica throw its data away and copy the leader's; Patroni answers at once.

        A copy that is under way is given up for a new one.
        """
        self._change("POST", "/reinitialize", {"force": True})

    def switchover(self, leader: str, candidate: str, timeout_s: float) -> str:
        """Have the leader hand over to a candidate; asked of the leader.

        Patroni answers when it is over, with a text; after 20 s it answers that it does not know,
        which is no refusal. What really happened is seen in the roles.
        """
        body = {"leader": leader, "candidate": candidate}
        return self._promote("/switchover", body, timeout_s)

    def failover(self, candidate: str, timeout_s: float) -> str:
        """Have a candidate take over from a dead leader; asked of any member."""
        return self._promote("/failover", {"candidate": candidate}, timeout_s)

    def _promote(self, path: str, body: Mapping[str, Any], timeout_s: float) -> str:
        answer = self._endpoint.request("POST", path, body, timeout_s)
        if answer.status == 503 and "status unknown" in answer.text:
            return answer.text
        return self._accepted(answer, f"POST {path}").text

    def _read(self, path: str) -> Answer:
        return self._accepted(self._endpoint.request("GET", path), f"GET {path}")

    def _change(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        answer = self._endpoint.request(method, path, body)
        return self._accepted(answer, f"{method} {path}")

    def _accepted(self, answer: Answer, request: str) -> Answer:
        if answer.status < 300:
            return answer
        if answer.status in (401, 403):
            raise RefusedError(
                f"{self.source} refused {request} ({answer.status}): the REST password here is not "
                "Patroni's; run the deploy, which writes the same one to both."
            )
        if answer.status == 409:
            raise ConflictError(
                f"{self.source} did not do {request}: another change came between; run it again."
            )
        if request.endswith("/config") and answer.status in (502, 503):
            raise RefusedError(
                f"{self.source} has no cluster configuration in etcd yet; wait until the first "
                "leader has been elected and run it again."
            )
        raise RefusedError(f"{self.source} answered {answer.status} to {request}: {_short(answer)}")


def _object(answer: Answer, required: str | None = None) -> dict[str, Any]:
    content = answer.json()
    if not isinstance(content, dict) or (required and required not in content):
        raise UnexpectedAnswerError(
            f"{answer.source} answered {answer.status} with something that Patroni never says; "
            "check what listens on that port."
        )
    return content


def _short(answer: Answer, limit: int = 200) -> str:
    text = " ".join(answer.text.split())
    return text if len(text) <= limit else f"{text[:limit]}..."
