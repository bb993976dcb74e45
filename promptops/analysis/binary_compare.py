"""Two arms of 0/1 outcomes side by side by the standard library alone: the sentences and figures of
`compare` and `decide`, for installs without scipy.

One answer per example in each arm, all scored, no clusters and no tags; what needs more is for the
full comparison.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

from ..policy import Policy
from . import binary_counts as exact
from . import policy_checks as held
from . import preconditions
from .arms import Arm, Outcomes, Pairs
from .classes import OTHER, Classes, applies, readings
from .compare import ComparisonFacts
from .comparison_context import ComparisonContext
from .constant_answer import Beside, constant_checks
from .facts import LEVEL, Difference
from .measured import Measured
from .policy_checks import Check, DecisionRule
from .task_checks import primary_check
from .verdict import Decision, Verdict

if TYPE_CHECKING:
    from .arms import Floats

__all__ = ["BinaryComparison", "Marks", "binary_compare"]

Marks = Mapping[str, float]  # example id -> 0 or 1


class BinaryComparison(ComparisonFacts):
    """A comparison of 0/1 outcomes whose figures need no numpy: statement, verdict, notes and the
    examples that got worse. table_notes: what was guessed at reading the table, which comes first
    among the notes.
    """

    table_notes: tuple[str, ...] = ()

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What was guessed, and what a careful reader wants to know before believing the figures;
        one sentence each.
        """
        return (*self.table_notes, *super().notes)

    @cached_property
    def classes(self) -> Classes | None:
        """Balanced accuracy and the best constant answer; the tables by class are for the full
        comparison. None if the scorer matches no golden label of few.
        """
        arms, labels = (self.candidate, self.baseline), self.grounds.labels
        read = readings(arms, self.primary_name, labels)
        if labels is None or read is None:
            return None
        examples = max(map(list, read), key=len)
        counts = Counter(labels.golden[example][0] for example in examples)
        order = sorted(counts, key=lambda label: (-counts[label], label))
        balanced = {}
        for arm, answers in zip(arms, read, strict=True):
            asked: Counter[str] = Counter()
            hits: Counter[str] = Counter()
            for example, given in answers.items():  # one answer each: repeats need numpy
                [answer], golden = given, labels.golden[example]
                asked[answer if answer in golden else golden[0]] += 1
                hits[answer] += answer in golden
            recalls = [hits[label] / asked[label] for label in order if asked[label]]
            balanced[arm.label] = sum(recalls) / len(recalls) if recalls else math.nan
        best = labels.best_constant(examples)
        right = sum(best in labels.golden[example] for example in examples)
        return Classes((), {}, (), balanced, labels.name(best), right / len(examples))

    def worse(self) -> list[str]:
        """Ids of the examples that got worse, in the order of their names."""
        pairs = self.pairs()
        return sorted(example for example, d in zip(pairs.examples, pairs.d, strict=True) if d < 0)

    @cached_property
    def verdict(self) -> Verdict:
        """What the policy that applies where nothing is declared makes of the facts."""
        policy, rule = Policy(), DecisionRule()
        figures = self.primary
        checks = [
            *preconditions.complete(self, policy, rule),
            primary_check(self, policy, rule),
            *(Check("constant", *found) for found in constant_checks(self._beside(), policy)),
            *held.judged(figures.name, figures.kind, figures.calibrated, policy),
        ]
        labels = self.candidate.label, self.baseline.label
        return Verdict(_decision(checks), *labels, tuple(checks), policy, rule)

    def _beside(self) -> Beside | None:
        """The candidate beside the best constant answer."""
        arm, labels = self.candidate, self.grounds.labels
        outcomes = arm.scores[self.primary_name]
        kept = applies(outcomes, arm.answers, labels)
        if labels is None or not kept:
            return None
        examples = [outcomes.examples[i] for i in kept]
        constant = labels.best_constant(examples)
        marks = [float(constant in labels.golden[example]) for example in examples]
        won = sum(outcomes.mean[i] > mark for i, mark in zip(kept, marks, strict=True))
        lost = sum(outcomes.mean[i] < mark for i, mark in zip(kept, marks, strict=True))
        above, below, _ = exact.sign_test(won, lost)
        answer, given = Counter(arm.answers[example] for example in examples).most_common(1)[0]
        n = len(examples)
        return Beside(
            arm.label,
            n,
            sum(outcomes.mean[i] for i in kept) / n,
            "" if answer == OTHER else labels.name(answer),
            0.0 if answer == OTHER else given / n,
            labels.name(constant),
            sum(marks) / n,
            above,
            below,
            exact.e_value(won, lost),
            len({label for example in examples for label in labels.golden[example]}),
        )


def binary_compare(
    candidate: tuple[str, Marks],
    baseline: tuple[str, Marks],
    *,
    scorer: tuple[str, str, str],
    grounds: ComparisonContext,
    answers: Mapping[str, Mapping[str, str]],
) -> BinaryComparison:
    """The facts of two arms on the same examples.

    Args:
        candidate, baseline: label, and the outcome of each example.
        scorer: its name, kind and version.
        grounds: where the examples come from; without clusters, copies and tags.
        answers: label of the arm -> example id -> the golden label that its answer gives.
    """
    name, kind, version = scorer
    arms = []
    for label, marks in (candidate, baseline):
        outcomes = _outcomes(marks, kind, version)
        arms.append(Arm(label, label, {name: outcomes}, answers=answers.get(label, {})))
    pairs = _pairs(candidate[1], baseline[1])
    measured = Measured(grounds, alpha=Policy().alpha, ties=Policy().ties)
    measured.add(name, pairs, arms[0].scores[name], _figures(name, kind, pairs))
    return BinaryComparison(arms[0], arms[1], measured, name)


def _figures(name: str, kind: str, pairs: Pairs) -> Difference:
    n = pairs.n
    b, c = sum(d > 0 for d in pairs.d), sum(d < 0 for d in pairs.d)
    right, before = int(sum(pairs.candidate)), int(sum(pairs.baseline))
    gain = (b - c) / n
    low, high = exact.tango(b, c, n, level=LEVEL)
    p_better, p_worse, method = exact.sign_test(b, c)
    square = (b + c - (b - c) ** 2 / n) / (n - 1) if n > 1 else 0.0
    spread = math.sqrt(square) if square > 1e-24 else None
    return Difference(
        name=name,
        kind=kind,
        unit="",
        binary=True,
        n=n,
        clusters=None,
        repeats=1,
        candidate=right / n,
        candidate_interval=exact.wilson(right, n, level=0.95),
        baseline=before / n,
        baseline_interval=exact.wilson(before, n, level=0.95),
        gain=gain,
        low=low,
        high=high,
        bound=low,
        interval_method="Tango score",
        wins=b,
        losses=c,
        p_better=p_better,
        p_worse=p_worse,
        test_method=method,
        e_value=exact.e_value(b, c),
        sd=spread,
        effect=gain / spread if spread else None,
        mde=exact.mde(b + c, n) if spread else None,
        n_needed=_needed(b, c, n) if spread and gain > 0 else None,
        within=(None, None),
        between=None,
        unscored=0,
        only_candidate=0,
        only_baseline=0,
        failed=pairs.failed,
    )


def _needed(b: int, c: int, n: int) -> int | None:
    """None past a billion."""
    found = exact.n_needed(b / n, c / n)
    return found if found < 10**9 else None


def _decision(checks: list[Check]) -> Decision:
    if any(check.status == "fail" for check in checks):
        return "reject"
    return "promote" if all(check.status == "pass" for check in checks) else "inconclusive"


def _outcomes(marks: Marks, kind: str, version: str) -> Outcomes:
    ones = [1.0] * len(marks)
    return Outcomes(
        list(marks),
        _column(list(marks.values())),
        _column(ones),
        _column(ones),
        _column([math.nan] * len(marks)),
        True,
        kind,
        (version,),
    )


def _pairs(candidate: Marks, baseline: Marks) -> Pairs:
    n = len(baseline)
    after = [candidate[example] for example in baseline]
    before = list(baseline.values())
    return Pairs(
        tuple(baseline),
        _column(after),
        _column(before),
        _column([x - y for x, y in zip(after, before, strict=True)]),
        repeats=1,
        binary=True,
        unscored=(),
        only_candidate=0,
        only_baseline=0,
        grid=1.0,
        within=(math.nan, math.nan),
        failed=(0, n, 0, n),
    )


def _column(values: list[float]) -> Floats:
    """A list where numpy would have an array: it is counted and walked through, no more."""
    return cast("Floats", values)
