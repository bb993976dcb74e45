"""A running canary: its share changed, finished or ended.

Each is a method of `Editor`, written beside the others that are about a canary.
"""

from __future__ import annotations

from dataclasses import replace

from .asked import checked_percent
from .chain_writer import WritesChains
from .deployment import DeploymentEntry

__all__ = ["abort", "finish", "widen"]


def widen(
    self: WritesChains,
    name: str,
    env: str,
    percent: float,
    *,
    author: str,
    reason: str = "",
    override: str = "",
) -> DeploymentEntry:
    """Change the share of the running canary; anyone who is in it stays in as it grows. Raises
    NotDeployed if none runs.

    override: why it has a share again that it had before, kept in the history.
    """
    now, canary = self.chains.running_canary(name, env)
    checked_percent(percent)
    if canary.percent == percent:
        return replace(now, changed=False)
    link = self.chains.link(
        now.id,
        "canary",
        author,
        reason,
        **_grounds(now),
        override=override,
    )
    return self.chains.append(
        name, env, {**link, "canary": {"version": canary.id, "percent": percent}}, now
    )


def finish(
    self: WritesChains, name: str, env: str, *, author: str, reason: str = ""
) -> DeploymentEntry:
    """Make the running canary serve everyone, on the evidence that it started with.

    Raises NotDeployed if none runs.
    """
    now, canary = self.chains.running_canary(name, env)
    link = self.chains.link(
        canary.id,
        "promote",
        author,
        reason,
        **_grounds(now),
    )
    return self.chains.append(name, env, link, now)


def abort(
    self: WritesChains, name: str, env: str, *, author: str, reason: str = ""
) -> DeploymentEntry:
    """End the running canary: everyone gets what the rest had.

    Raises NotDeployed if none runs.
    """
    now, canary = self.chains.running_canary(name, env)
    return self.chains.append(
        name, env, self.chains.link(now.id, "rollback", author, reason, undoes=canary.id), now
    )


def _grounds(now: DeploymentEntry) -> dict[str, object]:
    """On what the canary started, which its later steps rest on as well."""
    return {"evidence": now.evidence, "forced": now.forced, "unmet": list(now.unmet)}
