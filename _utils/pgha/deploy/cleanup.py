"""Coolify's nightly clean-up may have been switched on again: every deploy looks."""

from __future__ import annotations

from typing import Any

from pgha.deploy.deployment import Deployment


def switch_cleanup_off(deployment: Deployment) -> tuple[dict[str, Any], list[str]]:
    """Switch it off where the survey has seen it on (else nothing is asked); changes, comments."""
    servers = deployment.survey.get("servers", {}).values()
    if not any(server["nightly_cleanup"] for server in servers):
        return {}, []
    with deployment.step("Coolify's nightly clean-up is off"):
        answer = deployment.ask_one(
            deployment.controller, "coolify.cleanup_disable_all", test=deployment.test
        )
        return dict(answer["changes"]), list(answer["advice"])
