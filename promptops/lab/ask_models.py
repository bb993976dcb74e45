"""Verbs of a lab that ask models: evaluate, estimate, plan, optimize.

Each is a method of `Lab`, written beside what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Unpack

from ..signatures import explained
from ..study import evaluate as evaluating
from ..study.design import as_dataset
from ..study.plan import Plan
from ..study.provenance import in_kernel
from .collections import Studies
from .prompt import Prompt, prompt_name
from .study import Study
from .workers import asking_at

if TYPE_CHECKING:
    from ..optimize.task import Optimizer
    from ..policy import Policy
    from ..study.design import StudyDesign
    from ..study.estimate import Estimate
    from ..study.project import OfProject, Project
    from .optimization import Optimization, OptimizeOptions

__all__ = ["estimate", "evaluate", "optimize", "plan"]


@explained
def evaluate(
    self: OfProject,
    versions: object,
    dataset: object,
    scorers: Sequence[object] = (),
    *,
    plan: Plan | None = None,
    models: Sequence[str] | None = None,
    target: Callable[..., object] | None = None,
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
    workers: object = None,
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
    chosen = evaluating.EvaluateOptions(
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
    drawn = evaluating.draw(
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
    self: OfProject,
    versions: object,
    dataset: object,
    scorers: Sequence[object] = (),
    *,
    plan: Plan | None = None,
    models: Sequence[str] | None = None,
    repeats: int = 1,
    concurrency: int | None = None,
    budget_usd: float | None = None,
    batch: bool | str = False,
) -> Estimate:
    """What `evaluate` with the same arguments would do: calls, reused runs, tokens, cost as a
    range, and time. Asks nothing.

    Args:
        versions, dataset, scorers, plan, models, repeats, concurrency, budget_usd, batch: as in
            `evaluate`; by batches the cost is half.

    Raises:
        StudyError, SetupError, ScorerError, DatasetError: what would stop `evaluate` too.
    """
    from ..study.estimate import estimate

    limits = {"concurrency": concurrency, "budget_usd": budget_usd}
    chosen = evaluating.EvaluateOptions(plan=plan, limits=limits)
    drawn: StudyDesign = evaluating.draw(
        self.project, versions, dataset, scorers, chosen, models=models, repeats=repeats
    )
    return estimate(self.project, drawn, concurrency, plan, batch=bool(batch))


@explained
def plan(
    self: OfProject,
    prompt: Prompt | str,
    dataset: object,
    scorers: Sequence[object],
    *,
    policy: Policy | Mapping[str, object] | None = None,
    repeats: int = 1,
    split: str | None = "test",
    finalists: Sequence[object] = (),
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


def optimize(
    self: OfProject,
    version: object,
    dataset: object,
    scorers: Sequence[object],
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


def _started(project: Project, drawn: StudyDesign, chosen: evaluating.EvaluateOptions) -> Study:
    """The study of a design, running; in a script it is done."""
    running = project.running.get(drawn.id)
    if running is not None and running.status == "running":
        return Studies(project).named(drawn.id)
    try:
        study = Study(evaluating.start(project, drawn, chosen))
        if not in_kernel():
            study.progress.follow()
    except KeyboardInterrupt:  # which may fall between the first call and the wait for it
        begun = project.running.get(drawn.id)
        if begun is None or begun.status != "running":
            raise
        raise begun.interrupted() from None
    return study
