"""What one environment of a prompt serves now, and what it split its calls between."""

from __future__ import annotations

from . import chain, document
from .canary_share import in_canary
from .served_version import Served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Pair = tuple[str, str]

__all__ = ["Fixed", "Kept", "CanarySplit", "Tail"]


class Tail:
    """The end of one chain: the last deployment, what seals it, and the entries that it cites."""

    __slots__ = ("digests", "entries", "environment", "position")

    def __init__(self, environment: dict[str, Any], versions: dict[str, Any]) -> None:
        links = environment["deployments"]
        last = links[-1]
        canary = last.get("canary")
        cited = [last["version"], *([canary["version"]] if canary else [])]
        before = (
            links[-2]["digest"]
            if len(links) > 1
            else (environment.get("earlier") or {}).get("digest")
        )
        self.environment = {"deployments": [last], "earlier": {"digest": before}}
        self.entries = {key: versions[key] for key in cited if key in versions}
        self.position = chain.position(environment)
        self.digests = (before, last["digest"])

    @property
    def digest(self) -> str:
        """Of the last deployment."""
        return str(self.digests[1])


class CanarySplit:
    """Two arms of a canary; the key decides."""

    __slots__ = ("canary", "percent", "stable")

    def __init__(self, stable: Served, canary: Served, percent: float) -> None:
        self.stable, self.canary, self.percent = (
            stable.on_arm("stable"),
            canary.on_arm("canary"),
            percent,
        )

    def pick(self, key: object) -> Served:
        """The arm of a key."""
        return (
            self.canary
            if in_canary(self.canary.name, self.canary.id, self.percent, key)
            else self.stable
        )

    def held(self, reason: str, since: float) -> CanarySplit:
        """The same with both arms as last known good."""
        return CanarySplit(
            self.stable.held(reason, since), self.canary.held(reason, since), self.percent
        )


class Kept:
    """What a reading needs of one prompt, without its texts: tails by env, or what is wrong with
    it.

    fault: in any form; closed_fault: in this release's form, which has no fields but those it
    knows; environments: as they are in the file.
    """

    __slots__ = ("closed_fault", "environments", "fault", "tails")

    def __init__(self, name: str, prompt: Any) -> None:
        self.tails: dict[str, Tail] = {}
        self.environments: dict[str, Any] = {}
        self.closed_fault = document.prompt_fault(name, prompt)
        self.fault = self.closed_fault and document.prompt_fault(name, prompt, closed=False)
        if self.fault:
            return
        try:
            versions = {entry["id"]: entry for entry in prompt["versions"]}
            self.environments = prompt.get("environments", {})
            self.tails = {
                env: Tail(environment, versions) for env, environment in self.environments.items()
            }
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            self.fault = f"prompt {name!r} is malformed ({type(error).__name__})"
            self.closed_fault = self.closed_fault or self.fault


class Fixed:
    """Fields are set once, while it is made."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"a {type(self).__name__} is fixed; publish a new one instead of setting {name!r}."
        )

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)
