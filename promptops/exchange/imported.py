"""What a file of another tool gives: versions, examples, runs with their scores, and, item by item,
what could not be brought over.

Nothing is lost silently: whatever an importer meets and cannot translate becomes a `Left` with its
file, line, reason and the nearest thing here.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..canonical import canonical
from ..dataset import Dataset
from ..dataset.example import Example
from ..version import PromptVersion

__all__ = [
    "OWN",
    "Imported",
    "ImportedRun",
    "ImportedVersion",
    "Left",
    "example_key",
    "merged",
    "own_facts",
]

OWN = "from_promptops"  # the key of metadata under which this product writes what a format has not


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that was not brought over.

    line: 1-based, None if the format has no lines; what: the thing; reason: why; nearest: what
    to use here in its place, "" if there is nothing.
    """

    file: str
    line: int | None
    what: str
    reason: str
    nearest: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        nearest = f"; nearest: {self.nearest}" if self.nearest else ""
        return f"{place}: {self.what} was not brought over: {self.reason}{nearest}."


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """A prompt version as a file had it.

    prompt: the name that it belongs to; label: how the file's runs refer to it; environments:
    where the other tool served it (imported, never judged here); note: what the file says of it.
    """

    prompt: str
    label: str
    version: PromptVersion
    environments: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """One answer as a file had it. scores: scorer's name -> value in [0, 1], None if unscored;
    judged: the names of those that a model gave, alone or with other checks.

    example: id of an example of the same import; version: a label; failure: a class of
    `FAILURES`; started_at: UTC, ISO 8601, "" if unknown; live: it was a call of an
    application, not of an evaluation.
    """

    example: str
    version: str
    output: str | None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    repeat: int = 0
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    started_at: str = ""
    finish_reason: str | None = None
    failure: str | None = None
    live: bool = False
    judged: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        output: object = self.output
        if output is not None and not isinstance(output, str):
            raise TypeError(
                f"the answer to the example {self.example!r} is a {type(output).__name__}, not a"
                " text"
            )


@dataclass(frozen=True, slots=True)
class Imported:
    """All that a file gave.

    form: the format by name; name: of the dataset and the study; examples: each id once; notes:
    what a reader should know, one sentence each; left: what was not brought over; found: how many
    things the file holds (versions, examples, checks, runs), those left included; assertions: a
    promptfoo configuration's assertions by their type there, (type, became checks, left), each
    place of the file once; unscaled: the names of scores of which a value is not from 0 to 1: no
    value of theirs is kept, since a 1 may be the worst grade of 5.
    """

    form: str
    name: str
    versions: tuple[ImportedVersion, ...] = ()
    examples: tuple[Example, ...] = ()
    runs: tuple[ImportedRun, ...] = ()
    left: tuple[Left, ...] = ()
    notes: tuple[str, ...] = ()
    assertions: tuple[tuple[str, int, int], ...] = ()
    unscaled: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.unscaled:
            lost = dict.fromkeys(self.unscaled)
            runs = (
                replace(run, scores={**run.scores, **{n: None for n in lost if n in run.scores}})
                for run in self.runs
            )
            object.__setattr__(self, "runs", tuple(runs))

    @property
    def brought(self) -> int:
        """How many things came over: versions, examples, their checks, and runs."""
        checks = sum(len(example.checks) for example in self.examples)
        return len(self.versions) + len(self.examples) + checks + len(self.runs)

    @property
    def found(self) -> int:
        """How many things the file holds, those not brought over included."""
        return self.brought + len(self.left)

    @property
    def dataset(self) -> Dataset | None:
        """The examples as a dataset; None if the file has none."""
        return Dataset.of(self.examples, name=self.name) if self.examples else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The versions that the runs name, in order of appearance."""
        return tuple(dict.fromkeys(run.version for run in self.runs))

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the runs' scores, in order of appearance."""
        return tuple(dict.fromkeys(name for run in self.runs for name in run.scores))

    @property
    def judged(self) -> frozenset[str]:
        """The names of the scores that a model gave to any of the runs."""
        return frozenset().union(*(run.judged for run in self.runs))

    def summary(self) -> str:
        """One line: what came over, and how much of it."""
        parts = [
            _count(len(self.versions), "version"),
            _count(len(self.examples), "example"),
            _count(sum(len(example.checks) for example in self.examples), "check"),
            _count(len(self.runs), "run"),
        ]
        held = ", ".join(part for part in parts if not part.startswith("0 ")) or "nothing"
        return f"{self.form}: {held}; brought {self.brought} of {self.found}."


def own_facts(value: Mapping[str, object], under: str = "metadata") -> Mapping[str, Any]:
    """What this product wrote beside a format's own fields; nothing if another tool wrote it."""
    held = value.get(under)
    found = held.get(OWN) if isinstance(held, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def example_key(example: Example) -> str:
    """What two files' examples are paired by: what was asked, whatever its id."""
    return canonical([dict(example.inputs), list(example.history)])


def merged(parts: Sequence[Imported]) -> Imported:
    """Several files of one history as one: equal examples once, labels kept apart by file.

    Two runs of a tool on the same data pair on their shared examples this way.
    """
    if len(parts) == 1:
        return parts[0]
    ids: dict[tuple[str, int], Example] = {}
    taken: set[str] = set()
    runs: list[ImportedRun] = []
    known: set[str] = set()
    notes: list[str] = []
    for part in parts:
        counts: dict[str, int] = {}
        here: dict[str, str] = {}
        changed = 0
        for example in part.examples:
            key = example_key(example)
            nth = counts[key] = counts.get(key, -1) + 1
            kept = ids.get((key, nth))
            if kept is not None and _other_golden(kept, example):
                changed += 1
                key = f"{key}\0{canonical(example.expected)}"
                kept = ids.get((key, nth))
            if kept is None:
                kept = replace(example, id=_free(example.id, taken))
                taken.add(kept.id)
                ids[key, nth] = kept
            here[example.id] = kept.id
        if changed:
            notes.append(
                f"{part.name} has another golden answer than a file before it for"
                f" {_count(changed, 'example')}: what was judged by different answers is not"
                " paired."
            )
        labels = {label: _free(label, known, part.name) for label in part.labels}
        known.update(labels.values())
        runs += [
            replace(run, example=here[run.example], version=labels[run.version])
            for run in part.runs
        ]
    first = parts[0]
    return Imported(
        first.form,
        first.name,
        tuple(dict.fromkeys(version for part in parts for version in part.versions)),
        tuple(ids.values()),
        tuple(runs),
        tuple(left for part in parts for left in part.left),
        tuple(dict.fromkeys([*(note for part in parts for note in part.notes), *notes])),
        unscaled=frozenset().union(*(part.unscaled for part in parts)),
    )


def _other_golden(one: Example, other: Example) -> bool:
    """Whether two files know different golden answers to one question, however they are typed."""
    known = (one.expected, other.expected)
    if None in known:
        return False
    texts = [each if isinstance(each, str) else canonical(each) for each in known]
    return texts[0].strip().casefold() != texts[1].strip().casefold()


def _free(name: str, taken: set[str], hint: str = "") -> str:
    if name not in taken:
        return name
    if hint and f"{name} ({hint})" not in taken:
        return f"{name} ({hint})"
    return next(found for n in itertools.count(2) if (found := f"{name}-{n}") not in taken)
