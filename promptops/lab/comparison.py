"""The facts of a comparison as a notebook shows them, with the prompt's policy beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

from ..analysis import paper
from ..analysis.arms import Arm
from ..analysis.compare import ComparisonFacts, compare
from ..analysis.verdict import Verdict
from ..errors import StatisticsError, StudyError
from ..policy import Policy
from ..signatures import explained_methods
from ..study.compared import Compared
from . import show
from .model_grid import ModelGrid
from .task_table import Tasks

if TYPE_CHECKING:
    from ..analysis.correction import Corrected
    from ..analysis.slices import Slices
    from ..study.project import Project
    from ..study.recorded_study import RecordedStudy

__all__ = ["Comparison"]


@explained_methods
class Comparison(ComparisonFacts):
    """A paired comparison of two arms, with the verdict of the policy; it displays in a notebook
    and writes Markdown for a pull request.

    peeking: the results were viewed before all planned examples were in, so only e-values decide.
    """

    policy: Policy
    project: Project | None
    peeking: bool = False
    early: str = ""  # why it ended before all planned examples were in
    compared: Compared
    study: RecordedStudy | None = None  # the one study that holds both arms

    @classmethod
    def shown(cls, found: Compared, project: Project | None = None) -> Self:
        """Make a comparison that can be displayed from the recorded one."""
        out = cls.__new__(cls)
        out.__dict__.update(found.facts.__dict__)
        out.policy, out.project = found.policy, project
        out.peeking, out.early, out.compared = found.peeking, found.early, found
        return out

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a careful reader should know before trusting the figures, one sentence each."""
        return ((self.early,) if self.early else ()) + super().notes

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict of the prompt's policy."""
        verdict = self.decide(self.policy)
        if self.compared.looked is not None:
            self.compared.looked(verdict)
        return verdict

    def decide(self, policy: Policy | Mapping[str, object]) -> Verdict:
        """The verdict of another policy (or of a mapping of its fields) on this comparison.

        Several finalists of a plan are tested together (Holm), and at most one is promoted.
        """
        return self.compared.decide(policy)

    def require(self, goal: str = "not_worse", **policy: object) -> Comparison:
        """Assert, in a test, that the goal is met, and return the comparison; an AssertionError
        gives the verdict's reasons.

        Args:
            goal: "better", "not_worse" or "cheaper".
            policy: other fields of a Policy.
        """
        verdict = self.decide(Policy.of({"primary": self.primary_name, **policy, "goal": goal}))
        if verdict.decision != "promote":
            raise AssertionError(
                f"{self.candidate.label} is not shown to be {goal.replace('_', ' ')}:"
                f" {' '.join(verdict.reasons)} {' '.join(verdict.next)}".strip()
            )
        return self

    def slices(self, name: str | None = None) -> Slices:
        """The same comparison within each tag, largest loss first; exploratory, with findings
        marked by Benjamini-Hochberg at 10 %.
        """
        from ..analysis.slices import slices

        return slices(self, name)

    def tasks(self, tags: Sequence[str] | None = None, *, name: str | None = None) -> Tasks:
        """The same comparison per task, where each tag is a task: a row per task, "wins on k of m
        tasks", the random-effects mean over tasks, and a prediction for another such task.

        Args:
            tags: which of the dataset's tags are tasks; None: all.
            name: the scorer; None: the primary.

        Raises:
            StatisticsError: if no example has such a tag, or the scorer has no scale from 0 to 1.
        """
        from ..analysis.tasks import over_tags

        return Tasks.shown(over_tags(self, tags, name=name))

    def by_model(self) -> ModelGrid:
        """Compare the two prompts on every model that both ran on in their study: a row per model,
        and whether the gain depends on the model (two models: the exact sign-flip test of the
        difference between their gains; more: permutations of the models within each example).

        Raises:
            StudyError: if the arms are not of one study, have the same prompt, or ran on fewer than
                two models.
        """
        from ..study.prompts_by_model import grid_of

        if self.study is None:
            raise StudyError(
                "a comparison model by model needs one study that holds both prompts; evaluate both"
                ' with models=["...", "..."], and compare them in that study.'
            )
        labels = self.candidate.label, self.baseline.label
        return ModelGrid.shown(grid_of(self.study, *labels, self.primary_name))

    def methods(self) -> str:
        """The methods paragraph for a paper or a report: what was paired, and how it was
        tested.
        """
        return paper.methods_of(self)

    def to_latex(self) -> str:
        """The results as a LaTeX table (booktabs): n, both arms, gain, interval and p."""
        return paper.table_of(self)

    def pass_at(self, k: int, *, every: bool = False, name: str | None = None) -> Comparison:
        """Compare the same arms by pass@k (at least one of k answers is right), or by pass^k (all k
        are) with every=True.

        An example with fewer than k answers is unscored.

        Args:
            k: the number of answers.
            every: whether all of them must be right.
            name: the scorer; None: the primary.

        Raises:
            StatisticsError: if the scorer's outcomes are not 0 or 1.
        """
        from ..analysis.repeats import at_k

        measure = name or self.primary_name
        if any(measure not in arm.scores for arm in (self.candidate, self.baseline)):
            raise StatisticsError(
                f"{measure} is not a scorer's outcome of each answer; name a scorer of both"
                f" versions, as in pass_at({k}, name={next(iter(self.candidate.scores))!r})."
            )
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
        policy = Policy(alpha=self.policy.alpha, ties=self.policy.ties)
        return Comparison.shown(Compared(facts, policy), self.project)

    def corrected(self, name: str | None = None, *, level: float = 0.9) -> Corrected:
        """A judge's difference, corrected by human labels of both answers of an example
        (prediction-powered inference).

        The labels come from `study.review.label(rater=..., kind="rubric")`, averaged over raters.

        Args:
            name: the judge's scorer; None: the primary.
            level: the level of the interval, 0 to 1.

        Raises:
            StatisticsError: if fewer than two examples are labelled in both arms, or every example
                is labelled.
        """
        from ..review.label_correction import corrected

        store = self.project.store if self.project is not None else None
        return corrected(self, store, name or self.primary_name, level)

    def markdown(self) -> str:
        """Markdown for a pull request: verdict, statement, a table, notes."""
        return show.markdown(self)

    def figure(self) -> object:
        """The forest plot of gains with intervals and margins, as a plotly figure."""
        return show.figure(self)

    def _repr_html_(self) -> str:
        return show.html(self)
