"""Show the verdict of ``salt-run postgres.status`` as a table.

In colour on a terminal, plain when piped; without the package ``rich`` the same words in columns.

CLI Example:

.. code-block:: bash

    salt-run postgres.status
    salt-run postgres.status --out=json
"""

from __future__ import annotations

import io
import shutil
import sys
import textwrap

try:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    HAS_RICH = True
except ImportError:
    HAS_RICH = False

COLUMNS = (
    "Node",
    "Server",
    "Role",
    "State",
    "TL",
    "Lag",
    "etcd",
    "Write",
    "Read",
    "Pool",
    "Coolify",
)
RIGHT = ("TL", "Lag")
WIDEST, NARROWEST = 120, 100

ROLES = {"sync_standby": "sync", "quorum_standby": "quorum", None: "-"}
WORKS = {True: "ok", False: "FAILS", None: "-"}
BAD_WORDS = ("FAILS", "silent", "error", "unknown", "crashed", "start failed", "stopped")
GOOD, BAD, WARNING, HEAD = "green", "bold red", "yellow", "bold"


def output(data, **kwargs):
    """
    Return the status as text.

    data
        What ``postgres.status`` returned: see ``pgha.status.assemble``.
    """
    status = _unwrapped(data)
    if isinstance(status, str):
        return status
    if HAS_RICH:
        return _with_rich(status)
    return _plain(status)


def _unwrapped(data):
    # Salt unwraps {"data", "outputter"} itself, but not when a retcode stands beside them.
    if isinstance(data, dict) and "members" not in data and "data" in data:
        return _unwrapped(data["data"])
    if isinstance(data, str):
        return data
    if not isinstance(data, dict) or "members" not in data:
        raise TypeError("not the status of a cluster")  # Salt then shows it with its own outputter
    return data


def _with_rich(status):
    width = _width()
    text = io.StringIO()
    console = Console(
        file=text,
        width=width,
        force_terminal=_coloured(),
        color_system="standard" if _coloured() else None,
        highlight=False,
        legacy_windows=False,
    )
    _print_lines(console, _head(status), width)
    console.print(_table(status, width))
    _print_lines(console, _foot(status), width)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _print_lines(console, lines, width):
    for line, style in lines:
        console.print(Text(_wrapped(line, width), style=style))


def _table(status, width):
    rows = [_row(member) for member in status["members"]]
    # The box puts one space between columns and at both edges; one more where there is room.
    space = 1 if sum(_widths(rows)) + 2 * len(COLUMNS) <= width else 0
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, space, 0, 0), header_style=HEAD)
    for name in COLUMNS:
        # Only names may be of any length; they fold, so that the words stay whole.
        fold = {"overflow": "fold"} if name in ("Node", "Server") else {"no_wrap": True}
        table.add_column(name, justify="right" if name in RIGHT else "left", **fold)
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    return table


def _plain(status):
    rows = [_row(member) for member in status["members"]]
    widths = _widths(rows)
    lines = [" ".join(map(str.ljust, row, widths)).rstrip() for row in (COLUMNS, *rows)]
    head, foot = (
        [_wrapped(line, _width()) for line, _ in part] for part in (_head(status), _foot(status))
    )
    return "\n".join([*head, "", *lines, "", *foot])


def _widths(rows):
    return [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]


def _width():
    # What the terminal has, within what the table can use.
    return min(max(shutil.get_terminal_size((WIDEST, 25)).columns, NARROWEST), WIDEST)


def _wrapped(line, width):
    indent = "    " if line.startswith("  - ") else "  "
    # Long words are addresses, which must stay whole to be copied.
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False)


def _row(member):
    cells = (
        member["node"],
        member["host"],
        ROLES.get(member["role"], member["role"]),
        member["state"],
        _number(member["timeline"]),
        _lag(member),
        _etcd(member["etcd"]),
        WORKS[member["route_rw"]],
        WORKS[member["route_ro"]],
        WORKS[member["pool"]],
        _coolify(member["coolify"]),
    )
    return [_harmless(cell) for cell in cells]


def _head(status):
    cluster, leader = status["cluster"], _leader(status)
    if status["healthy"]:
        replicas = len(status["members"]) - 1
        text = f"{cluster} is healthy: {leader}, {replicas} replicas streaming"
        return [(_harmless(text), f"bold {GOOD}")]
    count = len(status["problems"])
    problems = "1 problem" if count == 1 else f"{count} problems"
    return [(_harmless(f"{cluster} is NOT healthy: {problems}; {leader}"), BAD)]


def _leader(status):
    if not status["leader"]:
        return "no leader"
    hosts = {member["node"]: member["host"] for member in status["members"]}
    where = hosts.get(status["leader"], "?")
    return f"leader {status['leader']} ({where}), timeline {_number(status['timeline'])}"


def _foot(status):
    lines = [_quorum(status["etcd"]), *_backup(status), *_notices(status)]
    lines += _listed("Problems:", status["problems"], BAD)
    others = [each for each in status["disagreements"] if each not in status["problems"]]
    lines += _listed("Disagreements:", others, WARNING)
    return [(_harmless(line), style) for line, style in lines]


def _quorum(etcd):
    tolerance = etcd["failure_tolerance"]
    margin = f"tolerates the loss of {tolerance}" if tolerance else "tolerates no further loss"
    if etcd["healthy_voters"] < etcd["quorum"]:
        margin = f"no quorum, {etcd['quorum']} are needed"
    text = f"etcd: {etcd['healthy_voters']} of {etcd['voters']} voters healthy, {margin}"
    return text, (GOOD if etcd["healthy_voters"] == etcd["voters"] else BAD)


def _backup(status):
    backup = status.get("backup") or {}
    last, verified = backup.get("last"), backup.get("verified")
    if not last:
        yield "Backup: none; take one with `salt-run state.orchestrate postgres.backup`", WARNING
        return
    proved = f"last verified {_age(verified['age_s'])} ago" if verified else "none verified yet"
    yield (
        f"Backup: {_age(last['age_s'])} old ({last['name']}), {proved}",
        "" if verified else WARNING,
    )


def _age(seconds):
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _notices(status):
    if status.get("paused"):
        yield "Paused: nobody fails over by itself until the cluster is resumed.", WARNING
    for member in status["members"]:
        if member["pending_restart"]:
            names = ", ".join(member["pending_restart_reason"]) or "a setting"
            yield f"Restart pending on {member['node']} for {names}.", WARNING


def _listed(title, sentences, style):
    return [(title, style), *((f"  - {each}", "") for each in sentences)] if sentences else []


def _etcd(role):
    return "error" if role.startswith("error") else role


def _coolify(stacks):
    if stacks is None:
        return "unknown"
    running = sum(str(status).startswith("running") for status in stacks.values())
    return "running" if running == len(stacks) else f"{running} of {len(stacks)} up"


def _number(value):
    return "-" if value is None else str(value)


def _lag(member):
    if member["role"] == "leader" or member["lag_bytes"] is None:
        return "-"
    size = float(member["lag_bytes"])
    for unit in ("B", "kB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"


def _style(cell):
    if cell in BAD_WORDS:
        return BAD
    return GOOD if cell in ("ok", "leader", "streaming", "running") else ""


def _harmless(text):
    """Nothing that a server said may move the cursor or change colours."""
    return "".join(char if char.isprintable() else "?" for char in str(text))


def _coloured():
    try:
        options = __opts__
    except NameError:
        options = {}
    return bool(options.get("color", sys.stdout.isatty()))
