"""What is known of a promotion before its evidence is read: a share that is not a share, a canary
in the way, a missing reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from .deployment import DeploymentEntry
from .history import SavedEntry

__all__ = ["checked_force", "checked_percent", "in_the_way", "share_held"]


def checked_force(force: bool, reason: str) -> None:
    """Raises Refused if a forced promotion gives no reason."""
    if force and not reason.strip():
        raise Refused(
            "a forced promotion needs a reason, which stays in the history; pass reason=.",
            ["force without a reason"],
        )


def checked_percent(percent: float | None) -> None:
    """Raises Refused if a canary's share is not one."""
    if percent is None:
        return
    if (
        isinstance(percent, bool)
        or not isinstance(percent, (int, float))
        or not 0.01 <= percent < 100
    ):
        raise Refused(
            f"{percent!r} % is not a valid canary share; use 0.01 to 99.99, or finish the canary"
            f" for"
            " everyone.",
            ["percent"],
        )


def in_the_way(
    name: str, env: str, now: DeploymentEntry | None, wanted: SavedEntry, percent: float | None
) -> str:
    """Why no evidence would help now: a canary without an incumbent, or a running canary of another
    version; "" if nothing is.
    """
    if now is None:
        return (
            f"{env} of {name} serves nothing yet, so a canary has no rest; promote v{wanted.number}"
            " without percent."
            if percent is not None
            else ""
        )
    if now.canary is not None and now.canary.id != wanted.id:
        running = f"v{now.canary.number} at {now.canary.percent:g} %"
        return (
            f"a canary of {name} runs in {env} ({running}); finish or abort it first, then promote"
            f' v{wanted.number} with override="reason".'
        )
    return ""


def share_held(links: Sequence[DeploymentEntry], percent: float, override: str) -> str:
    """Why setting the running canary's share would only repeat an earlier step of it; "" if that
    is a new share.

    A cell that runs again asks for the shares that the canary has grown out of; an override asks on
    purpose, once.
    """
    now = links[-1]
    if now.canary is None or now.canary.percent == percent:
        return ""
    for link in reversed(links[:-1]):
        if link.canary is None or link.canary.id != now.canary.id:
            return ""
        if link.canary.percent == percent and (not override or link.override == override):
            return (
                f"the canary v{now.canary.number} had {percent:g} % before and has"
                f" {now.canary.percent:g} % since {now.at}; "
                + _once_more(override, "sets that share once more.")
            )
    return ""


def _once_more(used: str, does: str) -> str:
    """How a step is taken once more on purpose."""
    return (
        f'the override {used!r} was used for that already, another override="reason" {does}'
        if used
        else f'override="reason" {does}'
    )
