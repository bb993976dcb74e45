"""What a team demands of a promotion: a value, kept in the registry, decided before anybody looks at results.

Applied by `analysis.decide` to the facts, held by `registry.gate` against the evidence. Numbers and words follow the
statistics contract: goal better / not_worse / cheaper, one primary, guardrails with margins, alpha.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from .canonical import digest
from .errors import VersionError

__all__ = ["Guardrail", "Policy"]

Goal = Literal["better", "not_worse", "cheaper"]


@dataclass(frozen=True, slots=True)
class Guardrail:
    """What must not get worse by more than `margin`.

    measure: a scorer's name (margin on its 0-1 scale), or "cost", "latency" or "tokens" (margin relative to the baseline's mean).
    """

    measure: str
    margin: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 1:
            raise VersionError(
                f"guardrail {self.measure!r} has the margin {self.margin!r}; expected a share between 0 and 1, such as 0.05."
            )


@dataclass(frozen=True, slots=True)
class Policy:
    """What a promotion must show.

    goal: "better" (exact one-sided sign-flip p <= alpha on the primary), "not_worse" (its lower bound above -margin),
    "cheaper" (not worse, and cheaper by the exact test); primary: a scorer's name, None for the first of the study;
    margin: of the primary under not_worse and cheaper; min_effect: least mean difference under better; min_n: least
    number of scored pairs; min_score: least mean of a first deployment on the primary; must_pass: example ids that the
    candidate may not fail where the baseline passes; path: environments that must serve the version first, in order;
    ungated: environments that need no evidence; judge_alone: whether an uncalibrated judge may be the primary;
    dataset: a fingerprint that evidence must be on, None for any; ties: "full" (exact) or "half" (mid-p).
    """

    goal: Goal = "better"
    primary: str | None = None
    alpha: float = 0.05
    min_effect: float = 0.0
    margin: float = 0.05
    guardrails: tuple[Guardrail, ...] = ()
    min_n: int = 0
    min_score: float = 0.0
    must_pass: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    ungated: tuple[str, ...] = ("dev",)
    judge_alone: bool = False
    dataset: str | None = None
    ties: Literal["full", "half"] = "full"

    def __post_init__(self) -> None:
        if self.goal not in ("better", "not_worse", "cheaper"):
            raise VersionError(f"policy goal is {self.goal!r}; the goals are better, not_worse and cheaper.")
        if not 0 < self.alpha < 0.5:
            raise VersionError(f"policy alpha is {self.alpha!r}; expected a share between 0 and 0.5, such as 0.05.")
        if self.ties not in ("full", "half"):
            raise VersionError(f'policy ties is {self.ties!r}; expected "full" or "half".')
        for name, low, high in (("min_score", 0, 1), ("margin", 0, 1), ("min_effect", 0, 1), ("min_n", 0, float("inf"))):
            if not low <= getattr(self, name) <= high:
                raise VersionError(f"policy {name} is {getattr(self, name)!r}; expected a number from {low} to {high}.")

    def document(self) -> dict[str, Any]:
        """The fields that differ from the default, JSON-ready: what a registry stores."""
        plain = asdict(self)
        rest = {f.name: plain[f.name] for f in fields(self) if getattr(self, f.name) != f.default}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in rest.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Policy:
        """The policy of what `document()` gave. Raises VersionError for an unknown field."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(document) - known)
        if unknown:
            raise VersionError(f"policy has the unknown field {unknown[0]!r}; the fields are {', '.join(sorted(known))}.")
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}
        if "guardrails" in values:
            values["guardrails"] = tuple(g if isinstance(g, Guardrail) else Guardrail(**g) for g in values["guardrails"])
        return cls(**values)

    @property
    def digest(self) -> str:
        """64 hex digits that name this policy."""
        return digest(self.document())
