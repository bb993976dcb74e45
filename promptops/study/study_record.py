"""A study as it was recorded: its arms, dataset, scorers and repeats as typed values.

The `studies` table keeps the design as one JSON document. It is read and written here and nowhere
else, so that no other module knows a key of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import StudyError

__all__ = ["ArmRecord", "DatasetRef", "ScorerRef", "StudyRecord", "splits_in"]


@dataclass(frozen=True, slots=True)
class ArmRecord:
    """One arm: a version (its id) as one endpoint answered it.

    label: how the arm is shown ("v2"); model: the name that the version asks for, None if only
    its answers are known; prompt and number: under which it is saved, "" and None for a scratch
    version.
    """

    version: str
    label: str
    model: str | None
    endpoint: str
    prompt: str = ""
    number: int | None = None

    def is_meant_by(self, value: object) -> bool:
        """Whether a version, an id, a label or a model's name means this arm."""
        if hasattr(value, "id"):
            return bool(value.id == self.version)
        return str(value) in (self.version, self.label, self.model)


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """Which dataset a study was made on. n: how many examples it holds."""

    fingerprint: str
    name: str
    n: int


@dataclass(frozen=True, slots=True)
class ScorerRef:
    """One scorer of a study, by name and version. kind: assertion, semantic, judge, ...

    calibrated: whether people's labels support a judge; None if that has not been looked up;
    needs: the columns that it reads, "*" where it sees the whole example.
    """

    name: str
    version: str
    kind: str = "assertion"
    calibrated: bool | None = None
    needs: tuple[str, ...] = ()

    @classmethod
    def of(cls, scorer: Any) -> ScorerRef:
        """The reference of a scorer."""
        whole = {"example", "run"} & set(getattr(scorer, "arguments", ()))
        needs = (*map(str, scorer.needs), *(["*"] if whole else []))
        return cls(str(scorer.name), str(scorer.version), str(scorer.kind), needs=needs)

    def document(self) -> dict[str, Any]:
        """JSON-ready; the columns are left out where it reads the golden answer alone."""
        plain = {"name": self.name, "version": self.version, "kind": self.kind}
        return plain if set(self.needs) <= {"expected"} else {**plain, "needs": list(self.needs)}


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """What the store knows of a study's design.

    split: the one split that all examples belong to, else None; plan: id of the plan that it
    follows; rescored: id of the study whose answers it scores again; imported: whether its answers
    were made elsewhere; created: when it was first started, UTC; role: "probe" for a day of a drift
    monitor, which no list of studies shows and no comparison picks by itself, else ""; named: the
    primary as it was named when the study was made, "" if that was not written down; rules: by
    which its verdicts follow: 1 for a study that release 0.1 recorded, which keeps its verdicts.
    """

    id: str
    name: str
    prompt: str
    arms: tuple[ArmRecord, ...]
    dataset: DatasetRef
    scorers: tuple[ScorerRef, ...]
    repeats: int = 1
    split: str | None = None
    plan: str | None = None
    rescored: str | None = None
    imported: bool = False
    created: str = ""
    role: str = ""
    named: str = ""
    rules: int = 2

    @classmethod
    def from_row(
        cls, id: str, name: str, prompt: str, design: str | Mapping[str, Any], created: object = ""
    ) -> StudyRecord:
        """A row of the table `studies`.

        Raises:
            StudyError: the design is not one that this release reads; the sentence names the study.
        """
        try:
            known = json.loads(design) if isinstance(design, str) else design
            return cls(
                str(id),
                str(name),
                str(prompt or ""),
                tuple(_arm(arm) for arm in _several(known["arms"], 1)),
                DatasetRef(
                    str(known["dataset"]["fingerprint"]),
                    str(known["dataset"]["name"]),
                    _count(known["dataset"]["n"]),
                ),
                tuple(_scorer(scorer) for scorer in _several(known["scorers"])),
                _count(known["repeats"]),
                _text(known.get("split")),
                _text(known.get("plan")),
                _text(known.get("rescored")),
                bool(known.get("imported")),
                str(created),
                str(known.get("role") or ""),
                str(known.get("primary") or ""),
                2 if "primary" in known else 1,
            )
        except _ODD as error:
            raise StudyError(
                f"the study {str(name)!r} ({str(id)[:9]}) cannot be read: its recorded design lacks"
                f" or misstates {error}; the other studies are not affected."
            ) from None

    def document(self) -> dict[str, Any]:
        """JSON-ready: the value of `studies.design`; `from_row` reads it back."""
        document: dict[str, Any] = {
            "arms": [asdict(arm) for arm in self.arms],
            "dataset": asdict(self.dataset),
            "scorers": [ref.document() for ref in self.scorers],
            "repeats": self.repeats,
            "split": self.split,
        }
        optional = {
            "plan": self.plan,
            "rescored": self.rescored,
            "imported": self.imported,
            "role": self.role,
            "primary": self.named or self.primary,
        }
        return {**document, **{name: value for name, value in optional.items() if value}}

    @property
    def primary(self) -> str:
        """The name of the first scorer, or ""."""
        return self.scorers[0].name if self.scorers else ""

    @property
    def scorer_names(self) -> tuple[str, ...]:
        """The names of the scorers, the primary first."""
        return tuple(scorer.name for scorer in self.scorers)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(arm.label for arm in self.arms)

    def arm(self, value: object) -> ArmRecord:
        """The arm that a version, a label or an id means.

        Raises:
            StudyError: the study does not hold it; the sentence lists the arms that it holds.
        """
        for arm in self.arms:
            if arm.is_meant_by(value):
                return arm
        shown = getattr(value, "label", None) or getattr(value, "id", None) or value
        raise StudyError(
            f"{shown} is not in the study {self.name}, which holds {', '.join(self.labels)}; "
            "evaluate them together."
        )

    def find(self, version: str) -> ArmRecord | None:
        """The arm of a version's id; None if the study does not hold it."""
        return next((arm for arm in self.arms if arm.version == version), None)

    def sources(self, arms: Sequence[ArmRecord] | None = None) -> list[tuple[str, str, str]]:
        """(study, version, label) of some arms, or of all: where their runs are."""
        return [(self.id, arm.version, arm.label) for arm in (self.arms if arms is None else arms)]


# What a value of another shape raises when it is read.
_ODD = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


def _several(value: object, least: int = 0) -> list[Any]:
    if not isinstance(value, list) or len(value) < least:
        raise ValueError("a list")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 31:
        raise ValueError("a count")
    return value


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("a text")
    return value


def _arm(document: Mapping[str, Any]) -> ArmRecord:
    number = document.get("number")
    return ArmRecord(
        str(document["version"]),
        str(document["label"]),
        _text(document.get("model")),
        str(document["endpoint"]),
        str(document.get("prompt") or ""),
        None if number is None else int(number),
    )


def _scorer(document: Mapping[str, object]) -> ScorerRef:
    return ScorerRef(
        str(document["name"]),
        str(document["version"]),
        str(document.get("kind") or "assertion"),
        needs=tuple(map(str, _several(document.get("needs") or []))),
    )


def splits_in(design: str | None) -> tuple[str, ...]:
    """The fingerprints in a search's design; () of a design that no search has."""
    found = json.loads(design or "null")
    splits = found.get("splits") if isinstance(found, dict) else None
    texts = splits.values() if isinstance(splits, dict) else ()
    return tuple(each for each in texts if isinstance(each, str))
