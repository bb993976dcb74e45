"""Where it changed: the same comparison within each tag, and example by example. Exploratory: a
list to triage, not a verdict.

Benjamini-Hochberg at 10 % over all slices, so that one in ten of those marked may be luck. A
version that wins overall and loses in a slice is reported so, whether or not it is marked
(Simpson).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import StatisticsError, StudyError
from . import multiplicity, paired_tests, words
from .arms import Outcomes, Pairs, part
from .compare import ComparisonFacts, compare
from .facts import GRID
from .part_gain import PartGain, frame_of
from .strata import of_class_measure
from .units import labels_of, units_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Moved", "Slice", "Slices", "moved", "part_of", "places_of", "slices", "within"]

FDR = 0.10


@dataclass(frozen=True, slots=True)
class Slice(PartGain):
    """The examples of one tag; its interval is not corrected. p: two-sided exact sign-flip; q:
    BH-adjusted over the slices; marked: q at most the rate accepted.
    """

    p: float = 1.0
    q: float = 1.0
    marked: bool = False

    @property
    def tag(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Slices:
    """rows: biggest loss first; overall: the gain over all examples; against: slices that go
    against it; simpson: a sentence for each of them.
    """

    measure: str
    overall: float
    rows: tuple[Slice, ...]
    against: tuple[Slice, ...]
    simpson: tuple[str, ...]
    note: str

    @property
    def frame(self) -> DataFrame:
        """One row per slice."""
        return frame_of(self.rows, Slice, "tag")


@dataclass(frozen=True, slots=True)
class Moved:
    """One example asked K times in both arms, 0/1 outcomes: passes of each, two-sided Fisher p,
    BH-adjusted q. gain: share passed, candidate - baseline.
    """

    example: str
    candidate_passed: int
    candidate_asked: int
    baseline_passed: int
    baseline_asked: int
    gain: float
    p: float
    q: float
    marked: bool


def slices(
    comparison: ComparisonFacts,
    name: str | None = None,
    *,
    tags: Mapping[str, Sequence[str]] | None = None,
    fdr: float = FDR,
) -> Slices:
    """The comparison within each tag. name: a measure, default the primary; tags: example id ->
    tags, default those of the comparison.

    An example of several tags counts in each. Slices of one example are left out: they say nothing.
    Balanced accuracy and recall are those of the slice's own examples.
    """
    measure = name or comparison.primary_name
    base = comparison.made_of(measure)
    pairs, labels = comparison.pairs(base), comparison.grounds.labels
    given = comparison.grounds.tags if tags is None else tags
    found = []
    for tag, where in places_of(pairs, given).items():
        own: Pairs | None = part_of(pairs, where)
        if base != measure and own is not None and labels is not None:
            own = of_class_measure(own, labels, measure)
        if own is not None and own.n > 1:
            found.append(_slice(tag, own, comparison))
    adjusted = multiplicity.bh([row.p for row in found]).tolist()
    rows = [replace(row, q=q, marked=q <= fdr) for row, q in zip(found, adjusted, strict=True)]
    rows.sort(key=lambda row: (row.gain, row.name))
    overall = comparison[measure].gain
    against = tuple(row for row in rows if overall * row.gain < 0 and abs(row.gain) > 1e-12)
    if overall < 0:
        against = against[::-1]
    note = (
        f"Exploratory: {words.count(len(rows), 'slice')}, of which one in {round(1 / fdr)} marked"
        " may be luck (Benjamini-Hochberg)."
    )
    return Slices(
        measure,
        overall,
        tuple(rows),
        against,
        tuple(_simpson(row, comparison, measure) for row in against),
        note,
    )


def moved(comparison: ComparisonFacts, name: str | None = None, *, fdr: float = FDR) -> list[Moved]:
    """Which examples got better or worse, biggest loss first: Fisher exact per example on its
    repeats.

    With K = 1 no single example can be distinguished from chance, and none is marked. Raises
    StatisticsError for outcomes that are not 0/1.
    """
    measure = name or comparison.primary_name
    pairs = comparison.pairs(measure)
    arms = (comparison.candidate.scores.get(measure), comparison.baseline.scores.get(measure))
    if arms[0] is None or arms[1] is None or not (arms[0].binary and arms[1].binary):
        raise StatisticsError(
            f"{measure} has outcomes that are not 0 or 1; `flips` lists its examples by size of"
            " change."
        )
    tallies = [_tally(outcomes) for outcomes in arms if outcomes]
    known: dict[tuple[int, int, int, int], float] = {}
    rows: list[tuple[str, tuple[int, int, int, int]]] = []
    for example in pairs.examples:
        (won_b, asked_b), (won_a, asked_a) = tallies[0][example], tallies[1][example]
        key = (asked_b - won_b, asked_b, asked_a - won_a, asked_a)
        known.setdefault(
            key, 1.0 if won_b * asked_a == won_a * asked_b else paired_tests.fisher_failures(*key)
        )
        rows.append((example, key))
    adjusted = multiplicity.bh([min(known[key], 1.0) for _, key in rows]).tolist()
    out = []
    for (example, key), q in zip(rows, adjusted, strict=True):
        won_b, asked_b, won_a, asked_a = key[1] - key[0], key[1], key[3] - key[2], key[3]
        out.append(
            Moved(
                example,
                won_b,
                asked_b,
                won_a,
                asked_a,
                won_b / asked_b - won_a / asked_a,
                known[key],
                q,
                q <= fdr,
            )
        )
    return sorted((row for row in out if row.gain), key=lambda row: (row.gain, row.example))


def _tally(outcomes: Outcomes) -> dict[str, tuple[int, int]]:
    """Example -> how often it was right, and how often it was scored."""
    rows = zip(outcomes.examples, outcomes.mean, outcomes.scored, strict=True)
    return {example: (round(mean * n), int(n)) for example, mean, n in rows if n > 0}


def places_of(pairs: Pairs, tags: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Tag -> the places of its examples among the pairs, by name of the tag."""
    places: dict[str, list[int]] = {}
    for index, example in enumerate(pairs.examples):
        for tag in dict.fromkeys(tags.get(example, ())):
            places.setdefault(tag, []).append(index)
    return dict(sorted(places.items()))


def within(comparison: ComparisonFacts, tag: str) -> ComparisonFacts:
    """The same comparison on the examples of one tag.

    Raises:
        StudyError: no example has the tag, or none of them is shared by both arms.
    """
    grounds = comparison.grounds
    ids = {example for example, tags in grounds.tags.items() if tag in tags}
    if not ids:
        known = ", ".join(sorted({one for tags in grounds.tags.values() for one in tags}))
        raise StudyError(f"no example has the tag {tag!r}; the tags are {known or 'not known'}.")
    name = comparison.primary_name
    return compare(
        part(comparison.candidate, ids),
        part(comparison.baseline, ids),
        grounds=replace(grounds, copies={}, planned=None, plan=None),
        primary=name if name in comparison.candidate.scores else None,
        alpha=comparison.alpha,
        ties=comparison.ties,
    )


def part_of(pairs: Pairs, where: Sequence[int]) -> Pairs:
    """The pairs at some places."""
    index = list(where)
    names = tuple(pairs.examples[i] for i in where)
    return replace(
        pairs,
        examples=names,
        candidate=pairs.candidate[index],
        baseline=pairs.baseline[index],
        d=pairs.d[index],
        unscored=(),
        weights=None if pairs.weights is None else pairs.weights[index],
    )


def _slice(tag: str, pairs: Pairs, comparison: ComparisonFacts) -> Slice:
    grouped = labels_of(pairs, comparison.grounds.clusters)
    grid = None if pairs.measure else pairs.grid or GRID
    test = paired_tests.sign_flip(units_of(pairs.d, grouped)[0], grid=grid, ties=comparison.ties)
    found = Slice.of(tag, pairs, comparison.grounds.clusters)
    return replace(found, p=test.p_two_sided)


def _simpson(row: Slice, comparison: ComparisonFacts, measure: str) -> str:
    label = comparison.candidate.label
    how = ("wins", "loses") if comparison[measure].gain > 0 else ("loses", "wins")
    size = (
        words.points(row.gain)
        if not comparison[measure].lower_is_better
        else f"{words.number(row.gain)} {comparison[measure].unit}"
    )
    sure = "marked" if row.marked else "not beyond luck"
    return (
        f"{label} {how[0]} overall but {how[1]} in {row.name}: {size} on"
        f" {words.count(row.n, 'example')} ({row.wins:,} won, {row.losses:,} lost; {sure})."
    )
