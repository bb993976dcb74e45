"""A running canary: its share changed, finished or ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .asked import checked_percent
from .deployment import Deployment
from .registry_record import RegistryRecord

if TYPE_CHECKING:
    pass

__all__ = ["CanaryEditor"]


class CanaryEditor(RegistryRecord):
    """What is written about a canary that runs."""

    def widen(
        self,
        name: str,
        env: str,
        percent: float,
        *,
        author: str,
        reason: str = "",
        override: str = "",
    ) -> Deployment:
        """Change the share of the running canary; anyone who is in it stays in as it grows. Raises
        NotDeployed where none runs.

        override: why it has a share again that it had before, kept in the history.
        """
        now, canary = self._canary(name, env)
        checked_percent(percent)
        if canary.percent == percent:
            return replace(now, changed=False)
        link = self._link(
            now.id,
            "canary",
            author,
            reason,
            evidence=now.evidence,
            forced=now.forced,
            unmet=list(now.unmet),
            override=override,
        )
        return self._append(
            name, env, {**link, "canary": {"version": canary.id, "percent": percent}}, now
        )

    def finish(self, name: str, env: str, *, author: str, reason: str = "") -> Deployment:
        """Make the running canary serve everyone, on the evidence that it started with.

        Raises NotDeployed where none runs.
        """
        now, canary = self._canary(name, env)
        link = self._link(
            canary.id,
            "promote",
            author,
            reason,
            evidence=now.evidence,
            forced=now.forced,
            unmet=list(now.unmet),
        )
        return self._append(name, env, link, now)

    def abort(self, name: str, env: str, *, author: str, reason: str = "") -> Deployment:
        """End the running canary: everyone gets what the rest had.

        Raises NotDeployed where none runs.
        """
        now, canary = self._canary(name, env)
        return self._append(
            name, env, self._link(now.id, "rollback", author, reason, undoes=canary.id), now
        )
