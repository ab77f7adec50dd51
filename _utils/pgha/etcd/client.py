"""One etcd member's HTTP gateway (``POST /v3/...``, keys in base64).

Retry rule: no request is repeated here. etcd answers membership changes with "unhealthy cluster"
until its members have been connected for five seconds; `pgha.etcd.membership` waits for that.

Reference: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from pgha.errors import UnexpectedAnswerError
from pgha.etcd.errors import meaning
from pgha.etcd.models import Member, Status, from_hex, to_hex
from pgha.transport import TOTAL_TIMEOUT_S, Answer, Endpoint, TlsFiles

# Read to prove the quorum; it need not exist.
HEALTH_KEY = "/pgha/health"


class EtcdClient:
    """Verbs of one member.

    Args:
        endpoint: ``https://<node ip>:2379``.
        tls: the CA and our client certificate; None for plain HTTP.
        timeout: bound of each call in seconds.
        where: the server's name for error sentences.

    Every method raises `UnreachableError` when etcd does not answer within the bound and one of
    `pgha.etcd.errors` when it says no.
    """

    def __init__(
        self,
        endpoint: str,
        tls: TlsFiles | None = None,
        timeout: float = TOTAL_TIMEOUT_S,
        *,
        where: str = "this server",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = Endpoint(
            base_url=endpoint,
            what=f"etcd on {where}",
            hint="see `pgha-logs etcd` there",
            tls=tls,
            timeout_s=timeout,
            transport=transport,
        )

    @property
    def url(self) -> str:
        return self._endpoint.base_url

    @property
    def source(self) -> str:
        """What the member is called in sentences."""
        return self._endpoint.source

    def status(self) -> Status:
        """The member's own state; needs no quorum."""
        return Status.from_json(self._post("maintenance/status"))

    def check_quorum(self) -> str:
        """Read linearizably, which succeeds only while a quorum of voters agrees.

        Returns the id of the etcd cluster whose quorum it was, hexadecimal.

        Raises:
            NoQuorumError, LearnerError, UnreachableError: why it does not.
        """
        answer = self._post("kv/range", {"key": _encode(HEALTH_KEY)})
        return to_hex(answer["header"].get("cluster_id", 0))

    def members(self) -> tuple[Member, ...]:
        """All members, read with quorum, by name."""
        answer = self._post("cluster/member/list", {"linearizable": True})
        members = (Member.from_json(member) for member in answer["members"])
        return tuple(sorted(members, key=lambda member: (member.name, member.id)))

    def member_add(self, peer_urls: Sequence[str], learner: bool) -> Member:
        """Announce a member that has not started yet; a learner does not count for the quorum."""
        body = {"peerURLs": list(peer_urls), "isLearner": learner}
        return Member.from_json(self._post("cluster/member/add", body)["member"])

    def member_promote(self, member_id: str) -> None:
        """Make a voter of a learner that has caught up."""
        self._post("cluster/member/promote", {"ID": from_hex(member_id)})

    def member_remove(self, member_id: str) -> None:
        """Take a member out for ever: its data directory cannot join again."""
        self._post("cluster/member/remove", {"ID": from_hex(member_id)})

    def range_prefix(self, prefix: str) -> dict[str, str]:
        """Every key that starts with the prefix, with its value; read with quorum."""
        answer = self._post("kv/range", _prefix_range(prefix))
        return {_decode(kv["key"]): _decode(kv.get("value", "")) for kv in answer.get("kvs", [])}

    def delete_prefix(self, prefix: str) -> int:
        """Delete every key that starts with the prefix (not empty); returns how many there were."""
        return int(self._post("kv/deleterange", _prefix_range(prefix)).get("deleted", 0))

    def _post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._endpoint.request("POST", f"/v3/{path}", body or {})
        content = _object(answer)
        if answer.status != 200:
            raise meaning(self.source, answer.status, str(content.get("message", "")))
        return content


def _object(answer: Answer) -> dict[str, Any]:
    content = answer.json()
    if not isinstance(content, dict) or not ("header" in content or "message" in content):
        raise UnexpectedAnswerError(
            f"{answer.source} answered {answer.status} with something that etcd never says; "
            "check what listens on that port."
        )
    return content


def _prefix_range(prefix: str) -> dict[str, str]:
    """The half-open range of a prefix: its last byte counted up by one ends it."""
    if not prefix:
        raise ValueError("an empty prefix would mean every key")
    raw = prefix.encode()
    return {"key": _encode(prefix), "range_end": _encode(raw[:-1] + bytes([raw[-1] + 1]))}


def _encode(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def _decode(text: str) -> str:
    return base64.b64decode(text).decode()
