"""What a lab does with versions and examples: ask, search, plan, compare, rank, import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from ..signatures import explained
from ..study import evaluate
from ..study.design import as_dataset
from ..study.plan import Plan
from ..study.project import Project
from ..study.provenance import in_kernel
from .collections import Studies
from .comparison import Comparison
from .leaderboard import Leaderboard
from .prompt import Prompt, prompt_name
from .study import Study
from .workers import asking_at

if TYPE_CHECKING:
    import os

    from ..optimize.task import Optimizer
    from ..policy import Policy
    from ..study.design import StudyDesign
    from ..study.estimate import Estimate
    from .imports import Import
    from .optimization import Optimization, OptimizeOptions

__all__ = ["LabStudies"]


def _started(project: Project, drawn: StudyDesign, chosen: evaluate.EvaluateOptions) -> Study:
    """The study of a design, running; in a script it is done."""
    running = project.running.get(drawn.id)
    if running is not None and running.status == "running":
        return Studies(project).named(drawn.id)
    try:
        study = Study(evaluate.start(project, drawn, chosen))
        if not in_kernel():
            study.progress.follow()
    except KeyboardInterrupt:  # which may fall between the first call and the wait for it
        begun = project.running.get(drawn.id)
        if begun is None or begun.status != "running":
            raise
        raise begun.interrupted() from None
    return study


class LabStudies:
    """The verbs of a lab that end in a study, or in what several of them say."""

    project: Project

    @explained
    def evaluate(
        self,
        versions: Any,
        dataset: Any,
        scorers: Sequence[Any] = (),
        *,
        plan: Plan | None = None,
        models: Sequence[str] | None = None,
        target: Callable[..., Any] | None = None,
        repeats: int = 1,
        name: str | None = None,
        fresh: bool = False,
        stop_when: Literal["settled"] | None = None,
        batch: bool | str = False,
        concurrency: int | None = None,
        budget_usd: float | None = None,
        budget_tokens: int | None = None,
        timeout_s: float = 120.0,
        deadline_s: float | None = 600.0,
        workers: Any = None,
    ) -> Study:
        """Ask every version every example, `repeats` times, and score each answer by each scorer.

        In a notebook the study returns at once and lives on; in a script it is done when it
        returns. What was answered before is not asked again.

        Args:
            versions: saved versions or PromptVersions; one alone needs no list.
            dataset: a Dataset, or whatever `Dataset.read` reads.
            scorers: the first is the primary; left out where `plan` names them.
            plan: a Plan whose split, scorers and repeats the study follows.
            models: evaluate each version on each of these instead of on its own.
            target: your own function in the model's place; it gets the example's values by its
                parameters' names.
            repeats: how many times each version is asked each example.
            name: what people call the study.
            fresh: ask again what was answered before.
            stop_when: "settled" asks in batches of a shuffled order, and no more once the e-values
                settle the verdict against the incumbent (else against the first version).
            batch: ask by the providers' batch interfaces, judges included, at half price. The study
                hands in and returns; the same cell, here or in another process, collects what is
                back. "2h" waits so long.
            concurrency: calls in flight; None: the endpoint's limit is found while asking.
            budget_usd, budget_tokens: stop before spending more.
            timeout_s: of one attempt.
            deadline_s: of one call with its retries; None: as long as the retries take.
            workers: the address of a dask scheduler ("tcp://scheduler:8786"), or its Client: the
                calls are made there, with the workers' own keys. One process is faster for calls
                that only wait.

        Raises:
            StudyError, SetupError, ScorerError, DatasetError: before anything is asked; in a
                script also what `Study.wait` raises.
        """
        chosen = evaluate.EvaluateOptions(
            name=name,
            fresh=fresh,
            plan=plan,
            stop_when=stop_when,
            batch=batch,
            limits={
                "concurrency": concurrency,
                "budget_usd": budget_usd,
                "budget_tokens": budget_tokens,
                "timeout_s": timeout_s,
                "deadline_s": deadline_s,
            },
        )
        drawn = evaluate.draw(
            self.project,
            versions,
            dataset,
            scorers,
            chosen,
            models=models,
            target=target,
            repeats=repeats,
        )
        return _started(asking_at(self.project, workers, drawn), drawn, chosen)

    @explained
    def estimate(
        self,
        versions: Any,
        dataset: Any,
        scorers: Sequence[Any] = (),
        *,
        plan: Plan | None = None,
        models: Sequence[str] | None = None,
        repeats: int = 1,
        concurrency: int | None = None,
        budget_usd: float | None = None,
    ) -> Estimate:
        """What `evaluate` with the same arguments would do: calls, reused runs, tokens, cost as a
        range, and time. Asks nothing.

        Args:
            versions, dataset, scorers, plan, models, repeats, concurrency, budget_usd: as in
                `evaluate`.

        Raises:
            StudyError, SetupError, ScorerError, DatasetError: what would stop `evaluate` too.
        """
        from ..study.estimate import estimate

        limits = {"concurrency": concurrency, "budget_usd": budget_usd}
        chosen = evaluate.EvaluateOptions(plan=plan, limits=limits)
        drawn: StudyDesign = evaluate.draw(
            self.project, versions, dataset, scorers, chosen, models=models, repeats=repeats
        )
        return estimate(self.project, drawn, concurrency, plan)

    def optimize(
        self,
        version: Any,
        dataset: Any,
        scorers: Sequence[Any],
        *,
        method: str | Optimizer = "few_shot",
        **options: Unpack[OptimizeOptions],
    ) -> Optimization:
        """Search for a better version on train and val. The test split is not looked at until
        `Optimization.confirm`.

        Args:
            version: the seed, a saved version or a PromptVersion.
            dataset: the whole of it, with train, val and test.
            scorers: the first decides, the others are guardrails.
            method: "few_shot", "instructions", "gepa", or an `Optimizer` of your own.
            options: the budget (budget_calls=500, budget_tokens, budget_usd, budget_s), goal, seed,
                concurrency, context_tokens.

        Returns:
            The search: `.best`, `.save(note=...)`, `.confirm()`. In a notebook it goes on after the
            cell; in a script it is done. The same search again pays for nothing twice.

        Raises:
            StudyError, ScorerError, SetupError: before anything is asked.
        """
        from .optimization import optimized

        return optimized(self.project, version, dataset, scorers, method, options)

    @explained
    def plan(
        self,
        prompt: Prompt | str,
        dataset: Any,
        scorers: Sequence[Any],
        *,
        policy: Policy | Mapping[str, Any] | None = None,
        repeats: int = 1,
        split: str | None = "test",
        finalists: Sequence[Any] = (),
    ) -> Plan:
        """Fix before looking: split, primary, goal, guardrails, alpha, repeats and finalists are
        frozen into the store, before the runs.

        Comparisons of a study that was evaluated with it say whether the analysis followed it.

        Args:
            prompt: a Prompt or its name.
            dataset, scorers, repeats: as in `evaluate`.
            policy: instead of the prompt's own.
            split: the split that is asked; None: all examples.
            finalists: the candidates that may be promoted on it; several are judged together
                (Holm).

        Raises:
            StudyError: there is nothing to plan with, such as an empty split.
        """
        from ..study.plan import freeze

        return freeze(
            self.project,
            prompt_name(prompt),
            as_dataset(dataset, self.project.root),
            scorers,
            policy=policy,
            repeats=repeats,
            split=split,
            finalists=finalists,
        )

    @explained
    def compare(
        self, *, candidate: Any, baseline: Any = None, primary: str | None = None
    ) -> Comparison:
        """Two versions on the examples that both answered, over the latest studies of each.

        Args:
            candidate: the version that may replace the other.
            baseline: what it is measured against; None: what its prompt serves in prod.
            primary: the scorer that decides; None: the policy's, else the first.

        Raises:
            StudyError: a version was never evaluated, or nothing serves in prod.
        """
        from ..study.comparing import compare_across

        found = compare_across(self.project, candidate, baseline, primary)
        return Comparison.shown(found, self.project)

    @explained
    def leaderboard(self, versions: Sequence[Any], *, primary: str | None = None) -> Leaderboard:
        """Versions with intervals, best first, over the latest studies of each, with Holm-corrected
        pairwise verdicts.

        Args:
            versions: saved versions, each evaluated at least once.
            primary: the scorer to rank by; None: the policy's, else the first.

        Raises:
            StudyError: a version was never evaluated.
        """
        from ..study.comparing import leaderboard_across

        return Leaderboard.shown(leaderboard_across(self.project, versions, primary))

    def import_runs(
        self, table: Any, dataset: Any, scorers: Sequence[Any] = (), **columns: Any
    ) -> Study:
        """Outputs made elsewhere as a study: scored, compared and reported as if called. No model
        is asked.

        table: a DataFrame or list of dicts, one row per output. columns: names of its columns
        (example="example_id", version="version", output="output", sample=None), and
        versions={label: PromptVersion} where the prompts are known, prompt="name", name="...";
        scores=["accuracy"] (or {name: column}) takes columns of scores from 0 to 1 as scorers;
        plan=lab.plan(...) takes in the rows of its split, under its scorers and finalists.
        Columns tokens_in, tokens_out, cost_usd, latency_ms, model and failure are kept; several
        models under one label are an arm each.
        """
        from ..study.import_runs import import_runs

        data = as_dataset(dataset, self.project.root)
        return Study(import_runs(self.project, table, data, scorers, **columns))

    def import_from(self, *paths: str | os.PathLike[str], prompt: str | None = None) -> Import:
        """Bring over what another tool wrote: promptfoo, lm-eval, Inspect, OpenAI Evals, Langfuse,
        MLflow, LangSmith, Braintrust, Prompty, DSPy, HELM; or live calls in OTLP/JSON or in lines
        of our own. Imported twice, it is there once.

        Args:
            paths: a file, a pattern such as "otel/*.jsonl", or several runs on the same data, which
                then pair by their examples.
            prompt: the name of the prompt, in place of the one that the file suggests.

        Returns:
            `.versions`, `.dataset`, `.scorers`, `.study` (None without answers), `.live` (how many
            live calls, and how many are new), `.notes`, and `.left`: each thing that was not
            brought over, with its file, line and reason.

        Raises:
            DatasetError: a file is of no format that is known, is damaged, or is a bomb.
        """
        from .imports import import_from

        return import_from(self.project, tuple(map(Path, paths)), prompt)
