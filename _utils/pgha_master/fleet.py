"""The fleet as Salt sees it: the local client of the master, one publication per question.

This package is the master's side of the library and the one place under ``_utils`` that imports
Salt; runners and orchestration states share it, minions never load it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import salt.client
from salt.exceptions import SaltClientError

from pgha.deploy.fleet import Answer, Applied
from pgha.errors import UnreachableError

STATE_TIMEOUT_S = 300


class SaltFleet:
    """Implements :class:`pgha.deploy.fleet.Fleet` with ``salt.client.LocalClient``."""

    def __init__(self, opts: Mapping[str, Any]) -> None:
        self._conf_file = opts["conf_file"]

    def ask(
        self,
        minions: Sequence[str],
        function: str,
        *arguments: Any,
        timeout_s: float = 30,
        **keywords: Any,
    ) -> dict[str, Answer]:
        asked_at = time.time()
        answers = {minion: Answer(silent=True) for minion in minions}
        try:
            for minion, returned in self._publish(
                minions, function, arguments, keywords, timeout_s
            ):
                answers[minion] = _answer(returned, asked_at)
        except SaltClientError as error:
            raise UnreachableError(
                f"the Salt master on this machine did not take the job {function}: {error} "
                "See `systemctl status salt-master` here"
            ) from error
        return answers

    def apply(
        self, minions: Sequence[str], sls: str, *, test: bool, pillar: Mapping[str, Any]
    ) -> dict[str, Applied]:
        keywords = {"test": test, "pillar": dict(pillar), "queue": True}
        answers = self.ask(minions, "state.apply", sls, timeout_s=STATE_TIMEOUT_S, **keywords)
        return {minion: _applied(answer) for minion, answer in answers.items()}

    def _publish(
        self,
        minions: Sequence[str],
        function: str,
        arguments: Sequence[Any],
        keywords: Mapping[str, Any],
        timeout_s: float,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        # One client per question: they are asked from several threads and a client is not safe.
        with salt.client.get_local_client(self._conf_file) as client:
            waiting = set(minions)
            returns = client.cmd_iter(
                list(minions), function, list(arguments), timeout=int(timeout_s),
                tgt_type="list", kwarg=dict(keywords),
            )  # fmt: skip
            # Closed before the client is: the generator unsubscribes through it.
            with closing(returns):
                for returned in returns:
                    yield from returned.items()
                    waiting -= set(returned)
                    if not waiting:
                        break


def _answer(returned: Mapping[str, Any], asked_at: float) -> Answer:
    value = returned.get("ret")
    failed = returned.get("retcode", 0) != 0 and isinstance(value, str)
    return Answer(
        value=None if failed else value,
        error=_sentence(str(value)) if failed else None,
        asked_at=asked_at,
        answered_at=time.time(),
    )


def _sentence(text: str) -> str:
    """The message of a failed function without Salt's prefix or a traceback's inner lines."""
    if "Traceback (most recent call last)" in text:
        return f"unexpected error {text.strip().splitlines()[-1]}; see /var/log/salt/minion there"
    return text.removeprefix("ERROR: ").strip()


def _applied(answer: Answer) -> Applied:
    if answer.silent:
        return Applied(failed={"answer": "did not answer; check salt-minion there and run again"})
    if answer.error:
        return Applied(failed={"run": answer.error})
    if not isinstance(answer.value, dict):
        return Applied(failed={"render": "; ".join(str(line) for line in answer.value or [])})
    states = {key.split("_|-")[1]: state for key, state in answer.value.items()}
    return Applied(
        changes={key: state["changes"] for key, state in states.items() if state["changes"]},
        failed={
            key: _sentence(str(state["comment"]))
            for key, state in states.items()
            if state["result"] is False and "__sls__" in state and not _is_requisite(state)
        },
        comments={key: state["comment"] for key, state in states.items()},
    )


def _is_requisite(state: Mapping[str, Any]) -> bool:
    return str(state["comment"]).startswith("One or more requisite failed")
