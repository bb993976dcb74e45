"""Verbs of a lab that ask models: evaluate, estimate, plan, optimize.

Each is a method of `Lab`, written beside what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Unpack

from ..signatures import explained
from ..study import evaluate as evaluating
from ..study.design import as_dataset
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
    from ..study.plan import Plan
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
    """Run every version on every example, `repeats` times, and score each answer with each scorer.

    In a notebook the study returns at once and runs in the background; in a script it is done
    when it returns. Answers that are already recorded are reused.

    Args:
        versions: saved versions or PromptVersions; a single one needs no list.
        dataset: a Dataset, or anything that `Dataset.read` reads.
        scorers: the scorers, of which the first is the primary; leave them out if `plan` names
            them.
        plan: a Plan whose split, scorers and repeats the study follows.
        models: evaluate each version on each of these models instead of its own.
        target: your own function instead of a model; it gets the example's values by its
            parameter names.
        repeats: how many times each version is run on each example.
        name: the display name of the study.
        fresh: call the models again, even if answers are already recorded.
        stop_when: "settled" runs the examples in batches of a shuffled order, and stops once the
            e-values settle the verdict against the incumbent (else against the first version).
        batch: use the providers' batch APIs, for judges too, at half price. The study submits its
            calls and returns; running the same cell again, here or in another process, collects
            the results. A duration such as "2h" waits for them up to that long.
        concurrency: calls in flight; None: adapted to the endpoint's limit during the study.
        budget_usd, budget_tokens: stop before spending more than this.
        timeout_s: the time limit of one attempt.
        deadline_s: the time limit of one call with its retries; None: no limit.
        workers: the address of a dask scheduler ("tcp://scheduler:8786"), or its Client: the
            calls are made there, with the workers' own keys. One process is faster for calls
            that only wait.

    Raises:
        StudyError, SetupError, ScorerError, DatasetError: before any call is made; in a script,
            also what `Study.wait` raises.
    """
    chosen = evaluating.EvaluateOptions(
        name=name,
        fresh=fresh,
        plan=plan,
        stop_when=stop_when,
        batch=batch,
        repeats=repeats,
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
    """Estimate what `evaluate` with the same arguments would do: calls, reused runs, tokens, cost
    as a range, and time. Makes no call.

    Args:
        versions, dataset, scorers, plan, models, repeats, concurrency, budget_usd, batch: as in
            `evaluate`; with `batch` the cost is half.

    Raises:
        StudyError, SetupError, ScorerError, DatasetError: if `evaluate` would raise it too.
    """
    from ..study.estimate import estimate

    limits = {"concurrency": concurrency, "budget_usd": budget_usd}
    chosen = evaluating.EvaluateOptions(plan=plan, limits=limits, repeats=repeats)
    drawn: StudyDesign = evaluating.draw(
        self.project, versions, dataset, scorers, chosen, models=models
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
    """Preregister an analysis: split, primary, goal, guardrails, alpha, repeats and finalists are
    recorded in the store before the runs.

    Comparisons of a study that was evaluated with the plan report whether they followed it.

    Args:
        prompt: a Prompt or its name.
        dataset, scorers, repeats: as in `evaluate`.
        policy: the policy to use instead of the prompt's own.
        split: the split to evaluate; None: all examples.
        finalists: the candidates that may be promoted on it; several are tested together
            (Holm).

    Raises:
        StudyError: if nothing can be planned, such as for an empty split.
    """
    from ..study.plan import PlanTerms, freeze

    return freeze(
        self.project,
        prompt_name(prompt),
        as_dataset(dataset, self.project.store, self.project.root),
        scorers,
        PlanTerms(policy, repeats, split, finalists),
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
    """Search for a better version on train and val. The test split is not used before
    `Optimization.confirm`.

    Args:
        version: where to start, a saved version or a PromptVersion.
        dataset: the whole dataset, with train, val and test.
        scorers: the first decides; the others are guardrails.
        method: "few_shot", "instructions", "gepa", or your own `Optimizer`.
        options: the budget (budget_calls=500, budget_tokens, budget_usd, budget_s), goal, seed,
            concurrency, context_tokens.

    Returns:
        The search: `.best`, `.save(note=...)`, `.confirm()`. In a notebook it runs in the
        background; in a script it is done. Repeating a search does not pay for a call twice.

    Raises:
        StudyError, ScorerError, SetupError: before any call is made.
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
