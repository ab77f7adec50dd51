"""Run an operation of the cluster as its operator does, and read what it said."""

from __future__ import annotations

import json
from typing import Any

from tests.support.lab import Lab


def operate(lab: Lab, name: str, *arguments: str, **pillar: Any) -> dict[str, Any]:
    """Run ``postgres.<name>``; the return of its one state: result, changes, comment."""
    given = (f"pillar={json.dumps(pillar)}", *arguments)
    done = lab.salt_run("state.orchestrate", f"postgres.{name}", "--out=json", *given)
    return state_of(done.stdout + done.stderr)


def state_of(output: str) -> dict[str, Any]:
    """The one state in an orchestration's JSON; a failure with the text when there is none."""
    start = output.find("{")
    if start < 0:
        return {"result": False, "comment": output, "changes": {}}
    returned, _ = json.JSONDecoder().raw_decode(output[start:])
    (states,) = returned.get("data", returned).values()
    if not isinstance(states, dict):
        return {"result": False, "comment": str(states), "changes": {}}
    (state,) = states.values()
    found: dict[str, Any] = state
    return found
