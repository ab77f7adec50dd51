"""Show what an orchestration of this product did: a line per step that changed something, what it
changed, and every failure whole. Salt's own ``highstate`` output of a first deploy has some 1,500
lines.

CLI Example:

.. code-block:: bash

    salt-run state.orchestrate postgres.deploy --out=postgres_report
    salt-run state.orchestrate postgres.deploy --out=highstate
"""

from __future__ import annotations

import io
import sys

try:
    from rich.console import Console
    from rich.text import Text

    HAS_RICH = True
except ImportError:
    HAS_RICH = False

MOST_LINES = 6
"""Changes shown of one step; the rest is counted."""

MARKS = {True: ("✓", "green"), None: ("→", "yellow"), False: ("✗", "bold red")}


def output(data, **kwargs):
    """
    Return the report as text.

    data
        What ``state.orchestrate`` returned.
    """
    states = _states(data)
    if states is None:
        return str(data)
    lines = [line for state in states for line in _of_state(state)]
    return _painted([*lines, _summary(states)])


def _states(data):
    """The states in the order in which they ran; None when the data is something else."""
    if isinstance(data, dict) and "data" in data:
        data = data["data"]
    if not isinstance(data, dict) or len(data) != 1:
        return None
    (found,) = data.values()
    if not isinstance(found, dict) or not all(map(_is_state, found.values())):
        return None
    named = [{**state, "id": key.split("_|-")[1]} for key, state in found.items()]
    return sorted(named, key=lambda state: state["__run_num__"])


def _is_state(value):
    return isinstance(value, dict) and {"result", "changes", "__run_num__"} <= set(value)


def _of_state(state):
    if state["result"] is False:
        return _failure(state)
    said = str(state["comment"]).replace("Already as declared.", "").strip()
    said = said.removeprefix("Changed.").removeprefix("Would be changed.").strip()
    if not state["changes"] and not said:
        return []
    mark, style = MARKS[state["result"]]
    leaves = list(_leaves(state["changes"]))
    shown = [(f"    {_leaf(*leaf)}", "") for leaf in leaves[:MOST_LINES]]
    if len(leaves) > MOST_LINES:
        rest = len(leaves) - MOST_LINES
        shown.append((f"    … and {rest} more; --out=highstate shows all", "dim"))
    return [(f"{mark} {state['id']}", style), *([(f"    {said}", "")] if said else []), *shown]


def _failure(state):
    if str(state["comment"]).startswith("One or more requisite failed"):
        return []
    mark, style = MARKS[False]
    lines = str(state["comment"]).splitlines() or ["no reason given"]
    return [(f"{mark} {state['id']}", style), *((f"    {line}", "") for line in lines)]


def _leaves(changes, path=()):
    """``(path, old, new)`` of every change, however deep."""
    for key, value in changes.items():
        here = (*path, str(key))
        if isinstance(value, dict) and set(value) == {"old", "new"}:
            yield here, value["old"], value["new"]
        elif isinstance(value, dict) and value:
            yield from _leaves(value, here)
        else:
            yield here, None, value


def _leaf(path, old, new):
    # The sentence of an inner state says what the outer one says already.
    what = ": ".join(part for part in path if not part.endswith("as declared"))
    if isinstance(new, dict):
        new = "created" if old is None else ", ".join(f"{key} {val}" for key, val in new.items())
    return f"{what}: {new}" if old is None else f"{what}: {_short(old)} → {_short(new)}"


def _short(value):
    return "none" if value is None else str(value)


def _summary(states):
    failed = sum(state["result"] is False for state in states)
    changed = sum(bool(state["changes"]) for state in states)
    seconds = sum(float(state.get("duration") or 0) for state in states) / 1000
    planned = any(state["result"] is None for state in states)
    words = f"{changed} would change" if planned else f"{changed} changed"
    steps = "1 step" if len(states) == 1 else f"{len(states)} steps"
    text = f"{steps}, {words}, {failed} failed, {seconds:.1f} s"
    return text, ("bold red" if failed else "bold green")


def _painted(lines):
    plain = [("".join(c if c.isprintable() else "?" for c in line), style) for line, style in lines]
    if not (HAS_RICH and _coloured()):
        return "\n".join(line for line, _ in plain)
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, color_system="standard", width=10_000)
    for line, style in plain:
        console.print(Text(line, style=style), highlight=False, soft_wrap=True)
    return text.getvalue().rstrip("\n")


def _coloured():
    try:
        options = __opts__
    except NameError:
        options = {}
    return bool(options.get("color", sys.stdout.isatty()))
