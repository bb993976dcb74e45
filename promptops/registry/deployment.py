"""What served an environment, when, by whom and on what ground: one link of its chain as a
value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from ..markup import paragraph, plain, plain_repr, shorten

__all__ = ["Canary", "DeploymentEntry", "of_chain"]


@dataclass(frozen=True, slots=True)
class Canary:
    """A version that serves `percent` of the keys, beside the one that serves the rest."""

    number: int | None
    id: str
    percent: float


@dataclass(frozen=True, slots=True)
class DeploymentEntry:
    """One change of an environment.

    position: 1, 2, ... in the environment's chain; number, id: the version that serves (while a
        canary runs: the rest);
    kind: "promote", "canary" (`canary` says which version and share) or "rollback" (`undoes` is the
        id that it undid);
    at: UTC, ISO 8601; evidence: the digest of its bundle, None if it had none; forced: the gate
    refused, `unmet` holds its reasons; override: why a version was promoted once more; until: `at`
    of the next change, None while this serves;
    changed: False if the call that returned this found nothing to do; note: why, where it was
    asked for and would only repeat an earlier step; of a rollback, which consumer it breaks.
    """

    prompt: str
    env: str
    position: int
    kind: Literal["promote", "canary", "rollback"]
    number: int | None
    id: str
    at: str
    author: str
    digest: str
    reason: str = ""
    evidence: str | None = None
    forced: bool = False
    unmet: tuple[str, ...] = ()
    override: str = ""
    undoes: str | None = None
    canary: Canary | None = None
    until: str | None = None
    changed: bool = field(default=True, compare=False)
    note: str = field(default="", compare=False)

    @property
    def why(self) -> str:
        """The reasons that people gave: for promoting once more, and for the step."""
        return "; ".join(dict.fromkeys(filter(None, (self.override, self.reason))))

    @property
    def percent(self) -> float | None:
        """The canary's share, None if none runs."""
        return self.canary.percent if self.canary else None

    @property
    def duration_s(self) -> float | None:
        """Seconds for which it served, by the clocks of those who wrote; None while it serves or
        where they disagree.
        """
        if self.until is None:
            return None
        seconds = (_moment(self.until) - _moment(self.at)).total_seconds()
        return seconds if seconds >= 0 else None

    @property
    def label(self) -> str:
        """The version as people say it: "v2"."""
        return _label(self.number, self.id)

    @plain_repr
    def __repr__(self) -> str:
        what = {"promote": f"serves {self.label}", "rollback": f"went back to {self.label}"}.get(
            self.kind, f"serves {self.label}"
        )
        if self.canary:
            what += (
                f", {_label(self.canary.number, self.canary.id)} as a canary for"
                f" {self.canary.percent:g} %"
            )
        why = f": {plain(self.reason)}" if self.reason else ""
        forced = ", forced" if self.forced else ""
        return (
            f"<{self.env} of {self.prompt} {what}, by {plain(self.author) or 'unknown'} at"
            f" {self.at}{forced}{why}>"
        )

    def _repr_html_(self) -> str:
        return paragraph(self)


def of_chain(
    prompt: str, env: str, environment: Mapping[str, Any], numbers: Mapping[str, int]
) -> tuple[DeploymentEntry, ...]:
    """The chain as values, oldest first; `numbers` maps content ids to display numbers."""
    links: Sequence[Mapping[str, Any]] = environment["deployments"]
    first = 1 + int(environment.get("earlier", {}).get("count", 0))
    after = [*(link["at"] for link in links[1:]), None]
    return tuple(
        DeploymentEntry(
            prompt=prompt,
            env=env,
            position=first + index,
            kind=link["kind"],
            number=numbers.get(link["version"]),
            id=link["version"],
            at=link["at"],
            author=shorten(link["author"], 200),
            digest=link["digest"],
            reason=link.get("reason", ""),
            evidence=link.get("evidence"),
            forced=link.get("forced", False),
            unmet=tuple(link.get("unmet", ())),
            override=link.get("override", link.get("again", "")),
            undoes=link.get("undoes"),
            canary=_canary(link.get("canary"), numbers),
            until=until,
        )
        for index, (link, until) in enumerate(zip(links, after, strict=True))
    )


def _canary(canary: Mapping[str, Any] | None, numbers: Mapping[str, int]) -> Canary | None:
    return (
        Canary(numbers.get(canary["version"]), canary["version"], canary["percent"])
        if canary
        else None
    )


def _label(number: int | None, version_id: str) -> str:
    return f"v{number}" if number else version_id[:11]


def _moment(at: str) -> datetime:
    moment = datetime.fromisoformat(at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
