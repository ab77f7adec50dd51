"""The service hostname in a server's /etc/hosts: one line of ours, every other byte untouched."""

from __future__ import annotations

from pgha.topology import Node, Topology


def with_hostname(text: str, topology: Topology, node: Node) -> str:
    """Return the text with exactly one line of this cluster, resolving the hostname to the node.

    A stale line of ours is replaced where it stands, further ones are removed; without one the
    line goes to the end.
    """
    mark = _mark(topology)
    ours = f"{node.ip} {topology.hostname} {mark}"
    lines = text.splitlines(keepends=True)
    mine = [number for number, line in enumerate(lines) if _is_marked(line, mark)]
    if not mine:
        return f"{text}{_missing_newline(text)}{ours}\n"
    kept = [line for number, line in enumerate(lines) if number not in mine[1:]]
    kept[mine[0]] = f"{ours}\n"
    return "".join(kept)


def without_hostname(text: str, topology: Topology) -> str:
    """Return the text without any line of this cluster."""
    mark = _mark(topology)
    return "".join(line for line in text.splitlines(keepends=True) if not _is_marked(line, mark))


def entry_of(text: str, topology: Topology) -> str | None:
    """The line of this cluster as it stands, without its mark; None when there is none."""
    mark = _mark(topology)
    for line in text.splitlines():
        if _is_marked(line, mark):
            return line.rstrip().removesuffix(mark).rstrip()
    return None


def competing_lines(text: str, topology: Topology) -> list[str]:
    """Lines of others that name the hostname too: an earlier one wins over ours in the resolver."""
    mark = _mark(topology)
    return [
        line
        for line in text.splitlines()
        if not _is_marked(line, mark) and topology.hostname in line.split("#")[0].split()[1:]
    ]


def _mark(topology: Topology) -> str:
    return f"# pgha {topology.cluster}"


def _is_marked(line: str, mark: str) -> bool:
    return line.rstrip().endswith(mark) and not line.lstrip().startswith("#")


def _missing_newline(text: str) -> str:
    return "\n" if text and not text.endswith("\n") else ""
