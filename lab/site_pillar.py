"""The lab's site pillar: what an operator of real servers would write."""

from __future__ import annotations

from lab.instance import Instance


def ensure_site(instance: Instance) -> None:
    """Write the site pillar unless it is there for these very servers: it is the user's to edit."""
    path = instance.site_dir / "postgresql" / "site.sls"
    text = site_text(instance)
    headline = text.splitlines()[0]
    if path.exists() and path.read_text().startswith(headline):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def site_text(instance: Instance) -> str:
    """The pillar as YAML; its first line says which servers it is for."""
    about = f"{instance.name} ({instance.domain}, {instance.cidr})"
    lines = [f"# Servers of the lab {about}. Yours to edit: `up` keeps it."]
    lines.append("postgresql_nodes:")
    for server in instance.servers:
        lines += [f"  - name: {server.node}", f"    host: {server.host}"]
        lines += [f"    ip: {server.ip}", f"    role: {server.role}"]
    lines += [
        f"coolify_url: {instance.coolify_url}",
        f"coolify_controller: {instance.controller.host}",
    ]
    return "\n".join(lines) + "\n"
