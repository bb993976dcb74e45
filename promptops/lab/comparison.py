"""The facts of a comparison as a notebook shows them, with the prompt's policy beside them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..analysis.compare import Comparison as Facts
from ..analysis.decide import Verdict, decide
from ..policy import Policy

if TYPE_CHECKING:
    from ..analysis.slices import Slices
    from .lab import Lab

__all__ = ["Comparison"]


class Comparison(Facts):
    """`analysis.compare.Comparison` with a face: shows well in a cell, knows the policy, makes Markdown for a pull request."""

    policy: Policy
    lab: Lab | None

    @classmethod
    def shown(cls, facts: Facts, policy: Policy, lab: Lab | None = None) -> Comparison:
        """The facts, ready to show."""
        out = cls.__new__(cls)
        out.__dict__.update(facts.__dict__)
        out.policy, out.lab = policy, lab
        return out

    @cached_property
    def verdict(self) -> Verdict:
        """What the policy makes of the facts."""
        return decide(self, self.policy)

    def decide(self, policy: Policy) -> Verdict:
        """What another policy would make of them."""
        return decide(self, policy)

    def require(self, goal: str = "not_worse", **policy: Any) -> Comparison:
        """For tests: raises AssertionError with the verdict's reasons unless the goal is met; returns the comparison."""
        verdict = decide(self, Policy.from_document({"primary": self.primary_name, **policy, "goal": goal}))
        if verdict.decision != "promote":
            raise AssertionError(
                f"{self.candidate.label} is not shown to be {goal.replace('_', ' ')}: {' '.join(verdict.reasons)} {' '.join(verdict.next)}".strip()
            )
        return self

    def slices(self, name: str | None = None) -> Slices:
        """The same comparison within each tag, biggest loss first; exploratory, marked by Benjamini-Hochberg at 10 %."""
        from ..analysis.slices import slices

        return slices(self, name)

    def markdown(self) -> str:
        """For a pull request: verdict, statement, a table, notes."""
        from ..views.comparison import markdown

        return markdown(self)

    def figure(self) -> Any:
        """The forest plot of gains with intervals and margins, as a plotly figure."""
        from ..views.comparison import forest

        return forest(self)

    def _repr_html_(self) -> str:
        from ..views.comparison import html

        return html(self)
