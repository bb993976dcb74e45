"""Two arms side by side: the facts of every measure, the examples that changed, and a summary of
one paragraph in plain words.

Facts only: what a team makes of them is `decide`. The examples are paired by id and content;
whatever could not be paired or scored is counted and reported.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import StudyError
from ..markup import plain_repr, shorten
from ..signatures import explained_methods
from . import e_values, words
from .arms import MEASURES, Arm, Pairs, why_unscored
from .classes import (
    BALANCED,
    Classes,
    classes_of,
    is_class_measure,
    labelled_scorer,
)
from .comparison_context import ComparisonContext
from .facts import (
    LEVEL,
    Difference,
    Ties,
    gain_interval,
)
from .measured import Measured
from .pooled_copies import collapse
from .strata import of_class_measure
from .units import labels_of, units_in

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["ComparisonFacts", "ComparisonContext", "compare"]
_NO_LUCK = 20  # examples of which some version gets one right, where the scorer fits
_NOTE = 20_000  # characters of a note, which is one line whatever the names in it hold


@explained_methods
class ComparisonFacts:
    """`candidate` against `baseline`. `differences`: a Difference per scorer in the study's order,
    then cost, latency, tokens.

    Iterating is not needed: `comparison["similar_to(expected)>=0.9"]` is one measure,
    `comparison.primary` the first.
    """

    def __init__(
        self,
        candidate: Arm,
        baseline: Arm,
        measured: Measured,
        primary: str,
    ) -> None:
        self.candidate, self.baseline = candidate, baseline
        self.grounds, self.ties, self.alpha = measured.grounds, measured.ties, measured.alpha
        self.primary_name = primary
        self._measured, self._names = measured, tuple(measured.pairs)

    @property
    def primary(self) -> Difference:
        """The measure that decides."""
        return self[self.primary_name]

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """The figures of all measures."""
        return tuple(self._measured.figures(name) for name in self._names)

    def __getitem__(self, name: str) -> Difference:
        if name in self._measured.pairs or self._class_measure(name):
            return self._measured.figures(name)
        known = ", ".join(self._names)
        raise StudyError(f"this comparison has no measure {name!r}; it has {known}.")

    def _class_measure(self, name: str) -> bool:
        """Whether the name is balanced_accuracy or recall(label) of a scorer that matches labels,
        which is then one of the measures.
        """
        labels = self.grounds.labels
        scorer = labelled_scorer((self.candidate, self.baseline), labels)
        if labels is None or scorer is None or not is_class_measure(name):
            return False
        pairs = of_class_measure(self._measured.pairs[scorer], labels, name)
        if pairs is None:
            return False
        self._measured.add(name, pairs, self.candidate.scores[scorer])
        return True

    def made_of(self, name: str) -> str:
        """The scorer that balanced_accuracy or recall(label) is made of; else the name itself."""
        if name in self._names or not is_class_measure(name):
            return name
        return labelled_scorer((self.candidate, self.baseline), self.grounds.labels) or name

    @cached_property
    def classes(self) -> Classes | None:
        """Confusion tables, precision, recall and F1 of both arms beside the best constant answer;
        None if the primary matches no golden label of few.
        """
        scorer = self.primary_name if self.primary_name in self.candidate.scores else None
        scorer = scorer or labelled_scorer((self.candidate, self.baseline), self.grounds.labels)
        arms = (self.candidate, self.baseline)
        return classes_of(arms, scorer, self.grounds.labels) if scorer else None

    def pairs(self, name: str | None = None) -> Pairs:
        """The per-example numbers of a measure (default: the primary)."""
        name = name or self.primary_name
        if name not in self._measured.pairs:
            self[name]
        return self._measured.pairs[name]

    def bound(
        self, name: str, alpha: float = 0.05, *, anytime: bool = False, share: float = 0.0
    ) -> float | None:
        """One-sided (1 - alpha) lower bound of a measure's gain; None if no bound exists.

        anytime: the confidence sequence, which may be read at every look (None for measures off the
            0-1 scale); share: of the baseline's mean, as a margin that the bound is compared with.
            That mean is as uncertain as the gain, so that the bound is of both together.
        """
        figures, pairs = self[name], self._measured.pairs[name]
        if share and not anytime and pairs.n and self.grounds.rules >= 2:
            moved = replace(pairs, d=pairs.d + share * pairs.baseline)
            labels = labels_of(pairs, self.grounds.clusters)
            low = gain_interval(moved, labels, level=1 - 2 * alpha, rules=self.grounds.rules)[2]
            return None if low is None else low - share * float(pairs.baseline.mean())
        if not anytime and abs(alpha - (1 - LEVEL) / 2) < 1e-12:
            return figures.bound
        labels = labels_of(pairs, self.grounds.clusters)
        if not anytime:
            return gain_interval(pairs, labels, level=1 - 2 * alpha, rules=self.grounds.rules)[2]
        units, largest = units_in(pairs, labels)
        if pairs.measure or not len(units) or figures.e_value is None:
            return None
        return e_values.lower_bound(units / largest, alpha=alpha) * largest * len(units) / pairs.n

    def e_worse(self, name: str) -> float | None:
        """The e-value against "not worse": evidence that the candidate lost; None for measures off
        the 0-1 scale.
        """
        figures, pairs = self[name], self._measured.pairs[name]
        units, largest = units_in(pairs, labels_of(pairs, self.grounds.clusters))
        return None if figures.e_value is None else e_values.e_value(-units / largest)

    def under(self, ties: Ties) -> ComparisonFacts:
        """The same comparison with ties counted as the policy says: "full" or "half"."""
        return compare(
            self.candidate,
            self.baseline,
            grounds=self.grounds,
            primary=self.primary_name,
            ties=ties,
        )

    @cached_property
    def weighed(self) -> ComparisonFacts | None:
        """The same comparison with each example weighed by how often it is asked; None if the
        weights are not known.
        """
        if self.grounds.weights is None:
            return None
        return compare(
            self.candidate,
            self.baseline,
            grounds=replace(self.grounds, copies={}, weighing=True),
            primary=self.primary_name,
            alpha=self.alpha,
            ties=self.ties,
        )

    @property
    def scorers(self) -> tuple[Difference, ...]:
        """The measures that are scorers."""
        return tuple(figures for figures in self.differences if figures.name not in MEASURES)

    @cached_property
    def frame(self) -> DataFrame:
        """One row per measure: everything in `Difference`."""
        import pandas as pd

        return pd.DataFrame([figures.document() for figures in self.differences]).set_index("name")

    def flips(self, name: str | None = None) -> DataFrame:
        """Examples whose outcome changed, biggest loss first: example_id, candidate, baseline,
        gain.
        """
        import pandas as pd

        measure = name or self.primary_name
        pairs = self.pairs(self.made_of(measure) if measure == BALANCED else measure)
        frame = pd.DataFrame(
            {
                "example_id": pairs.examples,
                "candidate": pairs.candidate,
                "baseline": pairs.baseline,
                "gain": pairs.d,
            }
        )
        frame = frame[frame["gain"].abs() > 1e-12]
        return frame.sort_values(["gain", "example_id"], kind="stable").reset_index(drop=True)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a careful reader wants to know before believing the figures, one sentence each."""
        from .caveats import caveats

        return tuple(shorten(note, _NOTE) for note in caveats(self))

    def statement(self, name: str | None = None) -> str:
        """One paragraph in plain words, true to the figures."""
        return _statement(self, self[name or self.primary_name])

    @plain_repr
    def __repr__(self) -> str:
        arms = f"{self.candidate.label} against {self.baseline.label}"
        return f"<Comparison {arms}: {' '.join((self.statement(), *self.grounds.mixed))}>"


def compare(
    candidate: Arm,
    baseline: Arm,
    *,
    grounds: ComparisonContext | None = None,
    primary: str | None = None,
    alpha: float = 0.05,
    ties: Ties = "full",
) -> ComparisonFacts:
    """The facts of every measure that both arms have.

    primary: a scorer's name, default the first. Raises StudyError if the arms share no scorer or
        no example.
    """
    grounds = grounds or ComparisonContext()
    candidate, baseline = (collapse(arm, grounds.copies) for arm in (candidate, baseline))
    shared = [name for name in candidate.scores if name in baseline.scores]
    if not shared:
        apart = (
            f"{candidate.label} and {baseline.label} have no scorer in common; score both with the"
            " same scorers first."
        )
        raise StudyError(why_unscored([candidate, baseline]) or apart)
    chosen = primary or shared[0]
    base = chosen if chosen in shared else shared[0]
    if chosen not in shared and not is_class_measure(chosen):
        raise StudyError(
            f"the primary scorer {chosen!r} has no scores for both arms, which share"
            f" {', '.join(shared)}; name one of these as primary (the prompt's policy may name it),"
            " or evaluate both versions with that scorer."
        )
    pairs_of_outcomes = [
        *((name, candidate.scores[name], baseline.scores[name]) for name in shared),
        *(
            (name, candidate.measures[name], baseline.measures[name])
            for name in MEASURES
            if name in candidate.measures and name in baseline.measures
        ),
    ]
    found = Measured.of(pairs_of_outcomes, grounds, alpha, ties)
    first = found.pairs[base]
    if first.n + len(first.unscored) == 0:
        raise StudyError(
            f"{candidate.label} and {baseline.label} have no example in common; evaluate both"
            " versions on the same dataset."
        )
    out = ComparisonFacts(candidate, baseline, found, chosen)
    if chosen not in shared and out.classes is None:
        raise StudyError(
            f"{chosen} needs a scorer that matches golden labels of few; {', '.join(shared)} of"
            " this study does not: name a scorer as the primary."
        )
    return out


def nothing_right(figures: Difference) -> bool:
    """Whether neither arm scores anything, on too many examples for bad luck: what was compared is
    the scorer with the columns, and not one version with the other.
    """
    return (
        not figures.lower_is_better
        and figures.n >= _NO_LUCK
        and not figures.candidate
        and not figures.baseline
    )


def _statement(comparison: ComparisonFacts, figures: Difference) -> str:
    a, b = comparison.baseline.label, comparison.candidate.label
    if not figures.n:
        return f"No example is scored for both {b} and {a}, so the two cannot be compared."
    luck = _luck(figures)
    if figures.lower_is_better:
        relative = -figures.gain / figures.baseline if figures.baseline else 0.0
        return (
            f"{b} has {words.signed(100 * relative)} % {figures.name} against {a}"
            f" ({_value(figures, figures.candidate)} against {_value(figures, figures.baseline)});"
            f" {luck}."
        )
    if nothing_right(figures):
        return (
            f"0 of {words.count(figures.n, 'example')} in both arms, {b} and {a}: the scorer"
            f" {figures.name} and the columns do not fit."
        )
    span = f"90 % interval {words.interval(figures.low, figures.high)}"
    if figures.binary and figures.repeats == 1:
        net = figures.wins - figures.losses
        if net == 0:
            head = (
                f"{b} and {a} are right on equally many of the"
                f" {words.count(figures.n, 'example')} ({figures.wins:,} won,"
                f" {figures.losses:,} lost)"
            )
        else:
            head = (
                f"{b} is right on {abs(net):,} {'more' if net > 0 else 'fewer'} of"
                f" {words.count(figures.n, 'example')} than {a} ({figures.wins:,} won,"
                f" {figures.losses:,} lost)"
            )
        return f"{head}: {words.points(figures.gain)}, {span}; {luck}."
    units = f"{words.count(figures.n, 'example')}" + (
        f" x {figures.repeats} repeats" if figures.repeats > 1 else ""
    )
    return (
        f"{b} scores {_value(figures, figures.candidate)} against"
        f" {_value(figures, figures.baseline)} for {a} on {units}: {words.points(figures.gain)},"
        f" {span}; {luck}."
    )


def _luck(figures: Difference) -> str:
    better = figures.gain >= 0
    p = figures.p_better if better else figures.p_worse
    if figures.wins + figures.losses == 0:
        return "not one example differs"
    return words.p_value(p)


def _value(figures: Difference, value: float) -> str:
    if figures.name == "cost":
        return words.money(value)
    if figures.name in MEASURES:
        return f"{words.number(value)} {figures.unit}"
    return words.percent(value)
