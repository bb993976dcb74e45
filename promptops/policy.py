"""What a team demands of a promotion: a value, kept in the registry, decided before anybody looks
at results.

Applied by `analysis.decide` to the facts, held by `registry.gate` against the evidence. Numbers and
words follow the statistics contract: goal better / not_worse / cheaper, one primary, guardrails
with margins, alpha.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from .canonical import MAX_INTEGER, digest
from .errors import VersionError

__all__ = ["Goal", "Guardrail", "Policy", "by_former_names", "renamed"]

Goal = Literal["better", "not_worse", "cheaper"]

_SHARES = (("min_score", 0, 1), ("margin", 0, 1), ("min_effect", 0, 1), ("min_n", 0, MAX_INTEGER))
_LISTS = ("must_pass", "stages", "ungated_environments")

# name of a field in format 1 (release 0.1) -> its name today; of a policy, and of a guardrail
_FORMER = {
    "judge_alone": "allow_uncalibrated_judge",
    "path": "stages",
    "ungated": "ungated_environments",
}
_FORMER_GUARDRAIL = {"measure": "metric"}


def renamed(document: object) -> object:
    """A policy as it was written, by the names of today.

    Raises VersionError if a field is there by both names.
    """
    return _by_names(document, _FORMER, _FORMER_GUARDRAIL)


def by_former_names(document: object) -> object:
    """The same by the names of format 1, over which ids and digests of that format were made."""
    return _by_names(document, _reversed(_FORMER), _reversed(_FORMER_GUARDRAIL))


def _reversed(names: Mapping[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}


def _by_names(document: object, names: Mapping[str, str], rails: Mapping[str, str]) -> object:
    if not isinstance(document, Mapping):
        return document
    for old, new in names.items():
        if old in document and new in document:
            raise VersionError(
                f"a policy has both {old!r} and {new!r}, which are one field; keep {new!r}."
            )
    found = {names.get(key, key): value for key, value in document.items()}
    listed = found.get("guardrails")
    if isinstance(listed, (list, tuple)):
        found["guardrails"] = [
            (
                {rails.get(key, key): value for key, value in rail.items()}
                if isinstance(rail, Mapping)
                else rail
            )
            for rail in listed
        ]
    return found


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that must not get worse by more than `margin`.

    Args:
        metric: a scorer's name (margin on its 0-1 scale), or "cost", "latency" or "tokens" (margin
            relative to the baseline's mean).
        margin: the largest acceptable loss.
        tag: check only the examples with this tag; None: all.
    """

    metric: str
    margin: float = 0.05
    tag: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise VersionError(
                f'guardrail metric is {self.metric!r}; name a scorer, or "cost", "latency" or'
                ' "tokens".'
            )
        if not _is_number(self.margin) or not 0 <= self.margin <= 1:
            raise VersionError(
                f"guardrail {self.metric!r} has the margin {self.margin!r}; expected a share"
                " between 0 and 1, such as 0.05."
            )
        if self.tag is not None and (not isinstance(self.tag, str) or not self.tag):
            raise VersionError(
                f"guardrail {self.metric!r} has the tag {self.tag!r}; expected a tag of the"
                " dataset as text, or None for all examples."
            )


@dataclass(frozen=True, slots=True)
class Policy:
    """The conditions that a promotion must meet.

    Args:
        goal: "better" (exact one-sided sign-flip p <= alpha on the primary), "not_worse" (the lower
            bound is above -margin), "cheaper" (not worse, and cheaper by the exact test).
        primary: a scorer's name; None: the first of the study.
        alpha: the one-sided level of the tests.
        min_effect: the minimum mean difference for "better".
        margin: the margin on the primary for "not_worse" and "cheaper".
        guardrails: Guardrails, all of which must be met.
        min_n: the minimum number of scored pairs.
        min_score: the minimum mean on the primary for a first deployment.
        must_pass: ids of examples that the candidate must not fail if the baseline passes them.
        stages: environments that must serve the version first, in order.
        ungated_environments: environments that need no evidence.
        allow_uncalibrated_judge: whether an uncalibrated judge may be the primary.
        dataset: the fingerprint of the dataset that the evidence must use; None: any.
        ties: "full" (exact) or "half" (mid-p).
        accept_constant: the reason why a candidate need not be shown to beat the best constant
            answer.
        accept_slices: tag -> the reason why a loss on its examples is accepted.
        estimand: the population that the primary generalises to: "examples" like these, or "tasks"
            like these, where each tag is a task (random effects: a large task cannot dominate).
        weights: a column with the frequency of each input: a promotion must also meet its
            conditions with these weights; None: every example counts once.
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
    stages: tuple[str, ...] = ()
    ungated_environments: tuple[str, ...] = ("dev",)
    allow_uncalibrated_judge: bool = False
    dataset: str | None = None
    ties: Literal["full", "half"] = "full"
    accept_constant: str = ""
    accept_slices: tuple[tuple[str, str], ...] = ()
    estimand: Literal["examples", "tasks"] = "examples"
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.goal not in ("better", "not_worse", "cheaper"):
            raise VersionError(
                f"policy goal is {self.goal!r}; the goals are better, not_worse and cheaper."
            )
        if not _is_number(self.alpha) or not 0 < self.alpha < 0.5:
            raise VersionError(
                f"policy alpha is {self.alpha!r}; expected a share between 0 and 0.5, such as 0.05."
            )
        if self.ties not in ("full", "half"):
            raise VersionError(f'policy ties is {self.ties!r}; expected "full" or "half".')
        if self.estimand not in ("examples", "tasks"):
            raise VersionError(
                f'policy estimand is {self.estimand!r}; expected "examples" or "tasks".'
            )
        for name, low, high in _SHARES:
            value = getattr(self, name)
            if (
                not _is_number(value)
                or not low <= value <= high
                or (name == "min_n" and value != int(value))
            ):
                raise VersionError(
                    f"policy {name} is {value!r}; expected a"
                    f" {'whole ' if name == 'min_n' else ''}number from {low} to {high}."
                )
        if not isinstance(self.allow_uncalibrated_judge, bool):
            raise VersionError(
                f"policy allow_uncalibrated_judge is {self.allow_uncalibrated_judge!r}; expected"
                " True or False."
            )
        if not isinstance(self.accept_constant, str):
            raise VersionError(
                f"policy accept_constant is {self.accept_constant!r}; expected the reason as text."
            )
        object.__setattr__(self, "accept_slices", _reasons(self.accept_slices))
        if self.weights is not None and self.estimand == "tasks":
            raise VersionError(
                "a policy over tasks gives each task one weight; leave out weights, or take"
                ' estimand="examples".'
            )
        for name in ("primary", "dataset", "weights"):
            if not isinstance(getattr(self, name), (str, type(None))):
                raise VersionError(
                    f"policy {name} is {getattr(self, name)!r}; expected a name as text, or None."
                )
        for name in _LISTS:
            object.__setattr__(self, name, _texts(getattr(self, name), name))
        object.__setattr__(self, "guardrails", _guardrails(self.guardrails))

    def document(self) -> dict[str, object]:
        """The fields that differ from the default, ready for JSON, as a registry stores them."""
        plain = asdict(self)
        for rail in plain["guardrails"]:
            if rail["tag"] is None:  # policies of before this field keep their digest
                del rail["tag"]
        rest = {f.name: plain[f.name] for f in fields(self) if getattr(self, f.name) != f.default}
        if self.accept_slices:
            rest["accept_slices"] = dict(self.accept_slices)
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in rest.items()
        }

    @classmethod
    def of(cls, value: Policy | Mapping[str, object]) -> Policy:
        """A policy unchanged, or one made from a mapping of its fields: {"primary":
        "exact(expected)", "goal": "not_worse"}. Raises VersionError if a field is invalid.
        """
        return value if isinstance(value, Policy) else cls(**_closed(cls, value, "policy"))

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Policy:
        """Restore a policy from the result of `document()`, of this release or an earlier one.

        Raises VersionError if a field is unknown or its value invalid.
        """
        return cls(**_closed(cls, renamed(document), "policy"))

    @property
    def digest(self) -> str:
        """64 hex digits that identify this policy."""
        return digest(self.document())


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _texts(values: object, what: str) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise VersionError(f"policy {what} is {values!r}; expected a list of texts.")
    return tuple(values)


def _reasons(value: Any) -> tuple[tuple[str, str], ...]:
    """Tags with their reasons, of a map or of pairs."""
    pairs = value.items() if isinstance(value, Mapping) else value
    try:
        found = tuple((tag, reason) for tag, reason in pairs)
    except (TypeError, ValueError):
        found = ((value, ""),)
    for tag, reason in found:
        if not isinstance(tag, str) or not isinstance(reason, str) or not reason.strip():
            raise VersionError(
                f"policy accept_slices is {value!r}; expected a map of tags to reasons, such as"
                ' {"warranty": "answered by people until May"}.'
            )
    return tuple(sorted(found))


def _guardrails(values: object) -> tuple[Guardrail, ...]:
    if not isinstance(values, (list, tuple)):
        raise VersionError(f"policy guardrails is {values!r}; expected a list of guardrails.")
    return tuple(
        (
            value
            if isinstance(value, Guardrail)
            else Guardrail(**_closed(Guardrail, value, "guardrail"))
        )
        for value in values
    )


def _closed(kind: type[Guardrail | Policy], document: object, what: str) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        example = '{"goal": "not_worse"}' if kind is Policy else '{"metric": "cost", "margin": 0.1}'
        raise VersionError(
            f"a {what} is {document!r}; expected a map of its fields such as {example}, or a"
            f" {kind.__name__}."
        )
    known = {f.name for f in fields(kind)}
    unknown = sorted(map(str, set(document) - known))
    if unknown:
        raise VersionError(
            f"{what} has the unknown field {unknown[0]!r}; the fields are"
            f" {', '.join(sorted(known))}."
        )
    if kind is Guardrail and "metric" not in document:
        raise VersionError(
            'a guardrail lacks its metric; name a scorer, or "cost", "latency" or "tokens".'
        )
    return dict(document)
