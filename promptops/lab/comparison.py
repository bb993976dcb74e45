"""The facts of a comparison as a notebook shows them, with the prompt's policy beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..analysis.arms import Arm
from ..analysis.compare import Comparison as Facts
from ..analysis.compare import compare
from ..analysis.decide import Verdict, decide, decide_many
from ..policy import Policy

if TYPE_CHECKING:
    from ..analysis.correction import Corrected
    from ..analysis.slices import Slices
    from .lab import Lab

__all__ = ["Comparison"]


class Comparison(Facts):
    """`analysis.compare.Comparison` with a face: shows well in a cell, knows the policy, makes Markdown for a pull request.

    peeking: it was looked at before all planned examples were in, so that only e-values decide.
    """

    policy: Policy
    lab: Lab | None
    peeking: bool = False
    early: str = ""  # why it ended before all planned examples were in
    _rivals: Callable[[], Sequence[Facts]] | None = (
        None  # the other finalists of a plan against the same baseline
    )
    _looked: Callable[[Verdict], None] | None = None  # counts what the split has served

    @classmethod
    def shown(cls, facts: Facts, policy: Policy, lab: Lab | None = None) -> Comparison:
        """The facts, ready to show."""
        out = cls.__new__(cls)
        out.__dict__.update(facts.__dict__)
        out.policy, out.lab = policy, lab
        return out

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a careful reader wants to know before believing the figures, one sentence each."""
        return ((self.early,) if self.early else ()) + super().notes

    @cached_property
    def verdict(self) -> Verdict:
        """What the policy makes of the facts."""
        verdict = self.decide(self.policy)
        if self._looked is not None:
            self._looked(verdict)
        return verdict

    def decide(self, policy: Policy | Mapping[str, Any]) -> Verdict:
        """What another policy (or a map of its fields) would make of them. Several finalists of a plan are judged together (Holm), and one is promoted at most."""
        policy = Policy.of(policy)
        rivals = list(self._rivals()) if self._rivals is not None else []
        if rivals:
            return decide_many([self, *rivals], policy, peeking=self.peeking)[0]
        return decide(self, policy, peeking=self.peeking)

    def require(self, goal: str = "not_worse", **policy: Any) -> Comparison:
        """For tests: raises AssertionError with the verdict's reasons unless the goal is met; returns the comparison."""
        verdict = self.decide(
            Policy.from_document({"primary": self.primary_name, **policy, "goal": goal})
        )
        if verdict.decision != "promote":
            raise AssertionError(
                f"{self.candidate.label} is not shown to be {goal.replace('_', ' ')}: {' '.join(verdict.reasons)} {' '.join(verdict.next)}".strip()
            )
        return self

    def slices(self, name: str | None = None) -> Slices:
        """The same comparison within each tag, biggest loss first; exploratory, marked by Benjamini-Hochberg at 10 %."""
        from ..analysis.slices import slices

        return slices(self, name)

    def pass_at(self, k: int, *, every: bool = False, name: str | None = None) -> Comparison:
        """The same arms on another question: is one of k answers right (pass@k), or with every=True are all k (pass^k)?

        An example asked fewer than k times is unscored. Raises StatisticsError for a scorer whose outcomes are not 0 or 1.
        """
        from ..analysis.repeats import at_k

        measure = name or self.primary_name
        label = f"{measure} {'pass^' if every else 'pass@'}{k}"
        arms = [
            Arm(
                arm.version,
                arm.label,
                {label: at_k(arm.scores[measure], k, every=every)},
                {},
                arm.facts,
            )
            for arm in (self.candidate, self.baseline)
        ]
        facts = compare(
            arms[0], arms[1], grounds=self.grounds, alpha=self.policy.alpha, ties=self.ties
        )
        return Comparison.shown(
            facts, Policy(alpha=self.policy.alpha, ties=self.policy.ties), self.lab
        )

    def corrected(self, name: str | None = None, *, level: float = 0.9) -> Corrected:
        """A judge's difference corrected by the labels that people gave to both answers of an example (prediction-powered inference).

        Labels are those of `study.labelling(rater, "rubric")`, raters averaged. Raises StatisticsError where fewer than two
        examples are labelled in both arms, or none is left without a label.
        """
        from ..review.label_correction import corrected

        return corrected(self, name or self.primary_name, level)

    def markdown(self) -> str:
        """For a pull request: verdict, statement, a table, notes."""
        from ..views.comparison_view import markdown

        return markdown(self)

    def figure(self) -> Any:
        """The forest plot of gains with intervals and margins, as a plotly figure."""
        from ..views.comparison_view import forest

        return forest(self)

    def _repr_html_(self) -> str:
        from ..views.comparison_view import html

        return html(self)
