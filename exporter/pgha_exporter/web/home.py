"""The page for people: what this node would say if one could ask it one question."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable

from pgha_exporter.exporter import VERSION, Collection
from pgha_exporter.facts import Facts
from pgha_exporter.publish.etcd import tolerance
from pgha_exporter.settings import Settings

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 60rem; }
h1 { font-size: 1.3rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
.verdict { padding: .75rem 1rem; border-radius: .5rem; color: #fff; margin: 1rem 0; }
.good { background: #1b7a3d; } .bad { background: #b3261e; }
.verdict ul { margin: .25rem 0 0; padding-left: 1.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8885;
  vertical-align: top; }
.no { color: #b3261e; font-weight: 600; } .yes { color: #1b7a3d; }
@media (prefers-color-scheme: dark) { .no { color: #ff8a80; } .yes { color: #7bd88f; } }
footer { margin-top: 2rem; font-size: .85rem; opacity: .75; }
"""
# Browsers ask for a favicon; an empty one in the page saves the request and its 404.
ICON = '<link rel="icon" href="data:,">'


def home(settings: Settings, collection: Collection) -> str:
    """The whole page; everything that came from elsewhere is escaped."""
    facts = collection.facts
    problems = verdict(collection)
    title = f"{settings.member} of {settings.scope}"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{ICON}
<title>{_text(title)}</title><style>{STYLE}</style></head><body>
<h1>{_text(title)}</h1>
{_verdict(problems, facts)}
<h2>Members</h2>{_members(facts)}
<h2>Sources</h2>{_sources(collection)}
<footer>Looked at {_text(_moment(time.time()))}. <a href="metrics">Metrics</a>.
pgha exporter {_text(VERSION)}</footer>
</body></html>
"""


def verdict(collection: Collection) -> list[str]:
    """What is wrong as this node sees it, as sentences; empty when nothing is."""
    facts = collection.facts
    problems = []
    if facts.postgres is None:
        problems.append("PostgreSQL on this node does not answer.")
    elif facts.postgres.writable and facts.leader != facts.member:
        problems.append("PostgreSQL accepts writes here although this node is not the leader.")
    if facts.leader is None:
        problems.append("The cluster has no leader.")
    problems += _cluster_problems(facts)
    problems += _etcd_problems(facts)
    for name, route in (facts.routes or {}).items():
        if not route.ok:
            problems.append(f"The route {name} does not work: {route.failure}.")
    for name, status in collection.statuses.items():
        if not status.up and name != "postgres" and status.failure:
            problems.append(f"The source {name} does not answer: {status.failure}.")
    return problems


def _cluster_problems(facts: Facts) -> list[str]:
    judged = facts.verdict(None)
    if facts.patroni is None or judged is None:
        return []
    problems = []
    if facts.patroni.cluster.paused:
        problems.append("Automatic failover is switched off (paused).")
    if judged.blocked and not judged.candidates:
        problems.append("No replica could be promoted at this moment.")
    return problems


def _etcd_problems(facts: Facts) -> list[str]:
    if not facts.etcd:
        return []
    if not facts.has_quorum:
        return ["etcd cannot be read with quorum from this node."]
    voters, healthy = tolerance(facts)
    lost = healthy - (voters // 2 + 1)
    if voters >= 3 and lost <= 0:
        return [f"etcd has {healthy} of {voters} voters: one more loss stops it."]
    return []


def _verdict(problems: list[str], facts: Facts) -> str:
    if not problems:
        return (
            f'<div class="verdict good">All is well. This node is {_text(_role(facts))}, '
            f"the leader is {_text(facts.leader)}.</div>"
        )
    items = "".join(f"<li>{_text(problem)}</li>" for problem in problems)
    return f'<div class="verdict bad">Needs a look:<ul>{items}</ul></div>'


def _role(facts: Facts) -> str:
    return "without a role" if facts.role == "none" else f"{facts.role.replace('_', ' ')}"


def _members(facts: Facts) -> str:
    if facts.patroni is None:
        return "<p>Patroni on this node does not say who is there.</p>"
    judged = facts.verdict(None)
    blocked = judged.blocked if judged else {}
    rows = [
        (
            member.name,
            member.role.replace("_", " "),
            member.state,
            "" if member.timeline is None else str(member.timeline),
            "leads" if member.leads else ", ".join(sorted(blocked[member.name])) or "yes",
        )
        for member in facts.patroni.cluster.members
    ]
    return _table(("Member", "Role", "State", "Timeline", "Can take over"), rows)


def _sources(collection: Collection) -> str:
    rows = [
        (
            name,
            "yes" if status.up else "no",
            f"{status.duration * 1000:.1f} ms",
            _moment(status.last_success) if status.last_success else "never",
        )
        for name, status in collection.statuses.items()
    ]
    return _table(("Source", "Answers", "Took", "Last answer"), rows)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = "".join(f"<th>{_text(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{columns}</tr>{lines}</table></div>'


def _cell(text: str) -> str:
    kind = f' class="{text}"' if text in ("yes", "no") else ""
    return f"<td{kind}>{_text(text)}</td>"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _text(value: object) -> str:
    return html.escape(str(value))
