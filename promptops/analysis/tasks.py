"""One comparison over several tasks: a row per task first, then what a further task may expect.

Tasks differ in their true gain, so they are combined by random effects (`random_effects`). The
verdict stays that of the policy over examples, unless the policy says `estimand="tasks"`
(`task_checks`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..dataset.shared_examples import shared_by_tasks
from ..errors import StatisticsError
from ..markup import plain_repr
from . import words
from .arms import Pairs
from .compare import ComparisonFacts
from .part_gain import PartGain, frame_of
from .random_effects import Combined, combine
from .slices import part_of, places_of
from .units import labels_of, units_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["TaskGain", "TaskGains", "over_tags", "over_tasks"]

_NAMED = 5  # tasks that a sentence names
_NO_SCALE = (
    "{} has no scale from 0 to 1 on each example, so that gains of tasks cannot be combined; name a"
    " scorer."
)


@dataclass(frozen=True, slots=True)
class TaskGain(PartGain):
    """One task. se: the standard error of its gain."""

    se: float = 0.0

    @property
    def task(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class TaskGains:
    """candidate, baseline: labels; measure: what was scored; rows: a task each, biggest loss first;
    won: tasks with a gain; overall: the gain over all examples; combined: None below 2 tasks;
    notes: a sentence each, first how many tasks are won.
    """

    candidate: str
    baseline: str
    measure: str
    rows: tuple[TaskGain, ...]
    won: int
    overall: float
    combined: Combined | None
    notes: tuple[str, ...]

    def statement(self) -> str:
        """How many tasks are won, the mean over tasks, and what another task may expect."""
        return " ".join(self.notes)

    @property
    def frame(self) -> DataFrame:
        """One row per task."""
        return frame_of(self.rows, TaskGain, "task")

    @plain_repr
    def __repr__(self) -> str:
        return f"<Tasks: {self.statement()}>"


def over_tags(
    comparison: ComparisonFacts, tags: Sequence[str] | None = None, *, name: str | None = None
) -> TaskGains:
    """The tasks of one comparison, a tag each.

    Args:
        comparison: of a dataset whose tags are tasks.
        tags: which of them; None: all.
        name: a scorer; None: the primary.

    Raises:
        StatisticsError: no example has a tag, or none has one of these, no tag has two examples, or
            the measure has no scale from 0 to 1 on each example.
    """
    measure = name or comparison.primary_name
    pairs = comparison.pairs(measure)
    if pairs.measure or pairs.scale != 1.0:
        raise StatisticsError(_NO_SCALE.format(measure))
    found = places_of(pairs, comparison.grounds.tags)
    missing = [tag for tag in tags or () if tag not in found]
    if missing or not found:
        named = f"no example has the tag {missing[0]!r}" if missing else "no example has a tag"
        raise StatisticsError(f"{named}; read the dataset with tags= the column of its tasks.")
    chosen = {tag: part_of(pairs, found[tag]) for tag in (tags or found)}
    times = Counter(place for tag in chosen for place in found[tag])
    several = sum(count > 1 for count in times.values())
    notes = [
        f"{words.count(several, 'example')} {'has' if several == 1 else 'have'} several of these"
        " tags and count in each: the interval and p over tasks take tasks for independent, so name"
        " tags that share no example."
    ]
    parts = {tag: (part, comparison) for tag, part in chosen.items()}
    return _tasks(parts, measure, comparison[measure].gain, notes if several else [])


def over_tasks(
    comparisons: Mapping[str, ComparisonFacts],
    *,
    name: str | None = None,
    contents: Mapping[str, Mapping[str, str]] | None = None,
) -> TaskGains:
    """The tasks of several comparisons of the same two versions, a study or a dataset each.

    Args:
        comparisons: task -> its comparison.
        name: a scorer that all of them have; None: their primary.
        contents: task -> example id -> a digest of the example, by which one that is in two tasks
            is known; None: by id, within datasets of one fingerprint.

    Raises:
        StatisticsError: there are none, they are not of the same two versions or of one primary,
            two tasks are the same examples, none has two examples, or the measure has no scale
            from 0 to 1.
    """
    found = list(comparisons.values())
    if len({(c.candidate.version, c.baseline.version) for c in found}) != 1:
        raise StatisticsError("tasks are compared for one candidate and one baseline; name both.")
    primaries = {task: name or each.primary_name for task, each in comparisons.items()}
    if len(set(primaries.values())) != 1:
        (one, first), (other, second) = list({p: (t, p) for t, p in primaries.items()}.values())[:2]
        raise StatisticsError(
            f"the task {one!r} is decided by {first} and {other!r} by {second}, whose gains are not"
            " of one kind; compare both with the same primary=."
        )
    measure = primaries[next(iter(primaries))]
    parts = {task: (each.pairs(measure), each) for task, each in comparisons.items()}
    if any(pairs.measure for pairs, _ in parts.values()):
        raise StatisticsError(_NO_SCALE.format(measure))
    notes = _shared(parts, contents)
    scored = [each.candidate.scores.get(measure) for each in found]
    versions = {outcomes.versions for outcomes in scored if outcomes is not None}
    if len(versions) > 1:
        notes.append(f"The tasks were scored by {len(versions)} versions of {measure}.")
    total = sum(pairs.n for pairs, _ in parts.values())
    gains = sum(float(pairs.d.sum()) for pairs, _ in parts.values())
    return _tasks(parts, measure, gains / total if total else 0.0, notes)


def _shared(
    parts: Mapping[str, tuple[Pairs, ComparisonFacts]],
    contents: Mapping[str, Mapping[str, str]] | None,
) -> list[str]:
    """A sentence on examples that are in several tasks.

    Raises StatisticsError if a task has no example of its own beside another's.
    """
    held: dict[str, set[object]] = {}
    for task, (pairs, each) in parts.items():
        known = (contents or {}).get(task, {})
        where = each.grounds.fingerprint or task
        held[task] = {known.get(example, (where, example)) for example in pairs.examples}
    several = shared_by_tasks(held, StatisticsError)
    if not several:
        return []
    return [
        f"{words.count(several, 'example')} {'is' if several == 1 else 'are'} in several tasks and"
        f" {'counts' if several == 1 else 'count'} in each: the interval and p over tasks take"
        " tasks for independent."
    ]


def _task(name: str, pairs: Pairs, comparison: ComparisonFacts) -> TaskGain:
    clusters = comparison.grounds.clusters
    se = math.sqrt(_variance(pairs, labels_of(pairs, clusters)))
    return replace(TaskGain.of(name, pairs, clusters), se=se)


def _variance(pairs: Pairs, labels: list[str] | None) -> float:
    """Of the mean gain. Where every example shows the same, that of one more that won and one more
    that lost (Bonett and Price), since a few equal examples are not certain.
    """
    units, _ = units_of(pairs.d, labels)
    m = len(units)
    if m > 1 and float(units.std()) > 1e-12:
        return m * float(units.var(ddof=1)) / pairs.n**2
    gain = abs(float(pairs.d.mean()))
    won, lost = (gain * m + 1) / (m + 2), 1 / (m + 2)
    return max(won + lost - (won - lost) ** 2, 1e-9) / (m + 2)


def _tasks(
    parts: Mapping[str, tuple[Pairs, ComparisonFacts]],
    measure: str,
    overall: float,
    cautions: Sequence[str],
) -> TaskGains:
    """The rows and what they say together. cautions: sentences that go last."""
    rows = [_task(task, pairs, each) for task, (pairs, each) in parts.items() if pairs.n > 1]
    small = [task for task, (pairs, _) in parts.items() if pairs.n < 2]
    if not rows:
        raise StatisticsError(
            "no task has two examples on which both versions were scored; evaluate more per task."
        )
    compared = next(iter(parts.values()))[1]
    names = compared.candidate.label, compared.baseline.label
    ranked = tuple(sorted(rows, key=lambda row: (row.gain, row.name)))
    won = sum(row.gain > 1e-12 for row in ranked)
    lost = [row for row in ranked if row.gain < -1e-12]
    count = words.count(len(ranked), "task")
    notes = [f"{names[0]} wins on {won} of {count}, loses on {len(lost)}."]
    combined = None
    if len(ranked) >= 2:
        combined = combine([row.gain for row in ranked], [row.se**2 for row in ranked])
        notes.append(combined.statement())
        if combined.prediction is not None:
            notes.append(
                f"Another task like these: {words.interval(*combined.prediction)} points (90 %"
                f" prediction interval; the gain is the same in all tasks: p ="
                f" {words.number(combined.p_spread, 2)})."
            )
    against = [row for row in ranked if row.gain * overall < 0 and abs(row.gain) > 1e-12]
    if against:
        named = _listed([f"{row.name} ({words.points(row.gain)})" for row in against])
        notes.append(f"Against the whole of {words.points(overall)} go {named}.")
    if small:
        notes.append(
            f"Left out, with fewer than two examples: {_listed([repr(task) for task in small])}."
        )
    return TaskGains(*names, measure, ranked, won, overall, combined, (*notes, *cautions))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
