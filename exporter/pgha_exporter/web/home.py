"""The page for people: what this node would say if one could ask it one question."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Iterator

from pgha_exporter import names
from pgha_exporter.exporter import VERSION, Collection
from pgha_exporter.facts import Facts
from pgha_exporter.patroni.model import Member
from pgha_exporter.publish.etcd import tolerance
from pgha_exporter.settings import Settings
from pgha_exporter.web.verdict import verdict

STYLE = """
:root { color-scheme: light dark; --line: #8885; --good: #1b7a3d; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --good: #7bd88f; --bad: #ff8a80; } }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 60rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.3rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
a { color: inherit; }
.verdict { padding: .75rem 1rem; border-radius: .5rem; color: #fff; margin: .75rem 0 1rem; }
.verdict strong { font-size: 1.1rem; }
.good { background: #1b7a3d; } .bad { background: #b3261e; }
.verdict ul { margin: .25rem 0 0; padding-left: 1.2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
dt { opacity: .75; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
.no { color: var(--bad); font-weight: 600; } .yes { color: var(--good); }
footer { margin-top: 2rem; font-size: .85rem; opacity: .8; }
@media (max-width: 40rem) {
  thead { display: none; }
  table, tbody, tr, td { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem 0;
    text-align: right; }
  td::before { content: attr(data-label); color: CanvasText; opacity: .75;
    font-weight: 400; text-align: left; }
  td:first-child { font-weight: 600; }
  td:empty { display: none; }
}
"""
# Browsers ask for a favicon; an empty one in the page saves the request and its 404.
ICON = '<link rel="icon" href="data:,">'
SECOND = "%Y-%m-%d %H:%M:%S UTC"
MEMBERS = ("Member", "Role", "State", "Timeline", "Behind", "Can take over")
SOURCES = ("Source", "Answers", "Took", "Last answer")


def home(settings: Settings, collection: Collection) -> str:
    """The whole page; everything that came from elsewhere is escaped."""
    title = f"{settings.member} of {settings.scope}"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{ICON}
<title>{_text(title)}</title><style>{STYLE}</style></head><body>
<h1>{_text(title)}</h1>
{_verdict(verdict(collection), collection.facts)}
{_this_node(collection)}
<h2>Members</h2>{_members(collection)}
<h2>Sources</h2>{_sources(collection)}
<footer>Looked at {_text(_moment(time.time(), SECOND))}. <a href="metrics">Metrics</a>.
pgha exporter {_text(VERSION)}</footer>
</body></html>
"""


def _verdict(problems: list[str], facts: Facts) -> str:
    if not problems:
        return f'<div class="verdict good"><strong>All is well.</strong> {_place(facts)}</div>'
    items = "".join(f"<li>{_text(problem)}</li>" for problem in problems)
    return (
        f'<div class="verdict bad"><strong>Needs a look.</strong> {_place(facts)}'
        f"<ul>{items}</ul></div>"
    )


def _place(facts: Facts) -> str:
    """This node's place in the cluster, as a sentence."""
    role = facts.role.replace("_", " ")
    if facts.role == "none":
        return "This node has no role."
    if facts.role == "leader" or facts.leader is None:
        article = "the" if facts.leader == facts.member else "a"
        return f"This node is {article} {_text(role)}."
    return f"This node is a {_text(role)} of {_text(facts.leader)}."


def _this_node(collection: Collection) -> str:
    rows = "".join(f"<dt>{_text(n)}</dt><dd>{_text(t)}</dd>" for n, t in _node_facts(collection))
    return f"<dl>{rows}</dl>" if rows else ""


def _node_facts(collection: Collection) -> Iterator[tuple[str, str]]:
    facts = collection.facts
    if facts.postgres:
        since = _moment(facts.postgres.started_at)
        yield "PostgreSQL", f"{facts.postgres.version}, started {since}"
    if facts.own and facts.own.patroni_version:
        yield "Patroni", facts.own.patroni_version
    if facts.etcd and facts.has_quorum:
        voters, healthy = tolerance(facts)
        left = healthy - (voters // 2 + 1)
        yield "etcd", f"{healthy} of {voters} voters answer, {max(left, 0) or 'none'} may be lost"
    ends = facts.server.certificates if facts.server else {}
    if ends:
        use = min(ends, key=lambda name: ends[name])
        yield "Certificates", f"the first ends {_moment(ends[use])}: {use}"
    for kind, backup in (facts.backups or {}).items():
        last = _moment(backup.last_success) if backup.last_success else "never"
        yield f"Last {kind} backup", last


def _members(collection: Collection) -> str:
    facts = collection.facts
    if facts.patroni is None:
        return "<p>Patroni on this node does not say who is there.</p>"
    judged = facts.verdict(None)
    blocked = judged.blocked if judged else {}
    return _table(
        MEMBERS,
        [
            (
                member.name,
                member.role.replace("_", " "),
                member.state,
                "unknown" if member.timeline is None else str(member.timeline),
                "" if member.leads else _behind(collection, member),
                "leads" if member.leads else _takeover(blocked.get(member.name, frozenset())),
            )
            for member in facts.patroni.cluster.members
        ],
    )


def _takeover(reasons: frozenset[str]) -> str:
    return f"no: {', '.join(sorted(reasons))}" if reasons else "yes"


def _behind(collection: Collection, member: Member) -> str:
    """Lag of replay as it is published: bytes, seconds."""
    size = collection.samples.value(names.MEMBER_LAG_BYTES, member.name, "replay")
    age = collection.samples.value(names.MEMBER_LAG_SECONDS, member.name)
    parts = [_size(size) if size is not None else "", f"{age:.0f} s" if age is not None else ""]
    return ", ".join(filter(None, parts)) or "unknown"


def _size(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _sources(collection: Collection) -> str:
    return _table(
        SOURCES,
        [
            (
                name,
                "yes" if status.up else "no",
                f"{status.duration * 1000:.0f} ms",
                _ago(status.last_success) if status.last_success else "never",
            )
            for name, status in collection.statuses.items()
        ],
    )


def _ago(at: float) -> str:
    seconds = max(time.time() - at, 0)
    if seconds < 2:
        return "just now"
    return f"{seconds:.0f} s ago" if seconds < 600 else _moment(at)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    columns = "".join(f"<th>{_text(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(map(_cell, head, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(label: str, text: str) -> str:
    kind = text.split(":")[0]
    mark = f' class="{kind}"' if kind in ("yes", "no") else ""
    return f'<td data-label="{_text(label)}"{mark}>{_text(text)}</td>'


def _moment(at: float, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    return time.strftime(form, time.gmtime(at))


def _text(value: object) -> str:
    return html.escape(str(value))
