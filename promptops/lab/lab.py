"""The notebook's door: one object that saves prompts, runs studies, compares, promotes and rolls
back.

Opening a lab reads and writes nothing. Every verb may be run again: saving, evaluating and
promoting what is there already changes nothing and pays for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from ..study import evaluate
from ..study.design import as_dataset
from ..study.plan import Plan
from ..study.project import Project
from ..study.provenance import in_kernel
from . import show
from .collections import Prompts, Studies
from .comparison import Comparison
from .deployments import Deployment, History
from .leaderboard import Leaderboard
from .monitor import Monitor, WatchOptions, watched
from .project_store import ProjectStore
from .prompt import Prompt
from .study import Study

if TYPE_CHECKING:
    import os

    from pandas import DataFrame

    from ..optimize.task import Optimizer
    from ..store import Store
    from ..study.design import StudyDesign
    from ..study.estimate import Estimate
    from .imports import Import
    from .optimization import Optimization, OptimizeOptions

__all__ = ["EvaluateOptions", "Lab"]


class EvaluateOptions(TypedDict, total=False):
    """Keywords of `Lab.evaluate` and `Lab.estimate` beyond its own.

    name: for people; fresh: ask again what was answered before; plan: a Plan whose split, scorers
        and repeats it follows;
    stop_when: "settled" asks in batches of a shuffled order, and no more once the e-values settle
    the verdict against the incumbent (else the first version); concurrency: calls in flight (None:
    found out); budget_usd, budget_tokens: stop before spending more; timeout_s: of one attempt;
    deadline_s: of one call with its retries.
    """

    name: str | None
    fresh: bool
    plan: Plan | None
    stop_when: Literal["settled"] | None
    concurrency: int | None
    budget_usd: float | None
    budget_tokens: int | None
    timeout_s: float
    deadline_s: float | None


class Lab:
    """A project's prompts, runs and studies.

    root: the project's folder, found upwards from the working directory where not named; models:
    name -> an openai client, a model of promptops.models, or a callable of yours, which is a
    target: it gets the example's values by its parameters' names (a single value goes to a single
    parameter of any name); prices: model -> (input, output) in USD per million tokens. Raises
    SetupError for a model that can never answer, or a price that is none.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        models: Mapping[str, Any] | None = None,
        prices: Mapping[str, Any] | None = None,
    ) -> None:
        self.project = Project.open(root, models=models, prices=prices, store=ProjectStore)
        where = self.project.location
        _say(
            f"lab at {where.root} ({where.why}): registry {where.registry.name}, "
            f"store {where.store.name}/"
        )

    @property
    def store(self) -> Store:
        """Every run, score and study that was ever recorded here."""
        return self.project.store

    # -- prompts

    @property
    def prompt(self) -> Prompts:
        """`lab.prompt("support-triage")` is that prompt; `lab.prompt` alone lists them all, and
        completes their names.
        """
        return Prompts(self.project)

    # -- studies

    def evaluate(
        self,
        versions: Sequence[Any],
        dataset: Any,
        scorers: Sequence[Any] = (),
        *,
        models: Sequence[str] | None = None,
        target: Callable[..., Any] | None = None,
        repeats: int = 1,
        **options: Unpack[EvaluateOptions],
    ) -> Study:
        """Ask every version every example, `repeats` times, and score each answer by each scorer.

        versions: saved versions or PromptVersions; dataset: a Dataset or whatever `Dataset.read`
        reads; the first scorer is the primary; models: evaluate each version on each of these
        instead of its own; target: a callable of yours in the model's place, which gets the
        example's values by its parameters' names. In a notebook the study returns at once and lives
        on; in a script it is done when it returns. What was answered before is not asked again.
        Raises StudyError, SetupError or ScorerError before anything is asked; in a script also what
        `Study.wait` raises.
        """
        chosen = evaluate.EvaluateOptions.of(options)
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
        running = self.project.running.get(drawn.id)
        if running is not None and running.status == "running":
            return self.study(drawn.id)
        try:
            study = Study(evaluate.start(self.project, drawn, chosen))
            if not in_kernel():
                study.follow()
        except KeyboardInterrupt:  # which may fall between the first call and the wait for it
            begun = self.project.running.get(drawn.id)
            if begun is None or begun.status != "running":
                raise
            raise begun.interrupted() from None
        return study

    def estimate(
        self,
        versions: Sequence[Any],
        dataset: Any,
        scorers: Sequence[Any] = (),
        *,
        models: Sequence[str] | None = None,
        repeats: int = 1,
        **options: Unpack[EvaluateOptions],
    ) -> Estimate:
        """What `evaluate` with the same arguments would do: calls, reused runs, tokens, cost as a
        range, time. Asks nothing.
        """
        from ..study.estimate import estimate

        chosen = evaluate.EvaluateOptions.of(options)
        drawn: StudyDesign = evaluate.draw(
            self.project, versions, dataset, scorers, chosen, models=models, repeats=repeats
        )
        return estimate(self.project, drawn, chosen.limits.get("concurrency"))

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

    def plan(
        self,
        prompt: str,
        dataset: Any,
        scorers: Sequence[Any],
        *,
        policy: Any = None,
        repeats: int = 1,
        split: str | None = "test",
        finalists: Sequence[Any] = (),
    ) -> Plan:
        """Fix before looking: split, primary, goal, guardrails, alpha, repeats and finalists are
        frozen into the store, before the runs.

        Comparisons of a study that was evaluated with it say whether the analysis followed it.
        finalists: the candidates that may be promoted on it; several are judged together (Holm).
        """
        from ..study.plan import freeze

        return freeze(
            self.project,
            prompt,
            as_dataset(dataset, self.project.root),
            scorers,
            policy=policy,
            repeats=repeats,
            split=split,
            finalists=finalists,
        )

    @property
    def studies(self) -> Studies:
        """All studies, newest first; `lab.studies["name"]` is one of them."""
        return Studies(self.project)

    def study(self, name: str) -> Study:
        """A study by name or id (or the beginning of it), also after a restart.

        Raises StudyError.
        """
        return self.studies[name]

    def compare(
        self, candidate: Any, baseline: Any = None, *, primary: str | None = None
    ) -> Comparison:
        """`candidate` against `baseline` (default: what its prompt serves in prod), over the latest
        studies of each.
        """
        from ..study.comparing import compare_across

        found = compare_across(self.project, candidate, baseline, primary)
        return Comparison.shown(found, self.project)

    def leaderboard(self, versions: Sequence[Any], *, primary: str | None = None) -> Leaderboard:
        """Versions with intervals, best first, over the latest studies of each, with Holm-corrected
        pairwise verdicts.
        """
        from ..study.comparing import leaderboard_across

        return Leaderboard.shown(leaderboard_across(self.project, versions, primary))

    def import_runs(
        self, table: Any, dataset: Any, scorers: Sequence[Any] = (), **columns: Any
    ) -> Study:
        """Outputs made elsewhere as a study: scored, compared and reported as if called. No model
        is asked.

        table: a DataFrame or list of dicts, one row an output. columns: names of its columns
        (example="example_id", version="version", output="output", sample=None), and
        versions={label: PromptVersion} where the prompts are known, prompt="name", name="...".
        Columns tokens_in, tokens_out, cost_usd, latency_ms, model and failure are kept.
        """
        from ..study.import_runs import import_runs

        data = as_dataset(dataset, self.project.root)
        return Study(import_runs(self.project, table, data, scorers, **columns))

    def import_from(self, *paths: str | os.PathLike[str], prompt: str | None = None) -> Import:
        """Bring over what another tool wrote: promptfoo, lm-eval, Inspect, OpenAI Evals, Langfuse,
        MLflow, LangSmith, Braintrust, Prompty, DSPy, HELM. Imported twice, it is there once.

        Args:
            paths: a file, or several runs on the same data, which then pair by their examples.
            prompt: the name of the prompt, in place of the one that the file suggests.

        Returns:
            `.versions`, `.dataset`, `.scorers`, `.study` (None without answers), `.notes`, and
            `.left`: each thing that was not brought over, with its file, line and reason.

        Raises:
            DatasetError: a file is of no format that is known, is damaged, or is a bomb.
        """
        from .imports import import_from

        return import_from(self.project, tuple(map(Path, paths)), prompt)

    # -- deployments

    def promote(
        self, version: Any, to: str, *, study: Study | None = None, **options: Any
    ) -> Deployment:
        """Serve `version` in the environment `to`, where the evidence of `study` carries it against
        what serves now.

        options: percent=10 (a canary share; again with another percent widens it, without one
        finishes it), reason="...", force=True (needs a reason, and is marked for ever),
        override="reason" (past a refusal or a roll back that stands), example=... Promoting what
        serves already changes nothing. Raises Refused with every unmet point and its next step, or
        Conflict.
        """
        from ..study.promote import promote

        recorded = study.recorded if study is not None else None
        return Deployment.of(promote(self.project, version, to, recorded, **options))

    def rollback(
        self, version: Any, env: str, *, to: Any = None, reason: str = ""
    ) -> Deployment | None:
        """Undo `version` in `env` at once (a running canary: end it): the last different version
        serves again (or `to`). Nothing if it no longer serves.

        version: a saved version, or a prompt's name for whatever serves now. Ungated, and logged. A
        cell that rolls a version back does so whenever that version serves: nothing is asked, also
        where it was promoted once more since.
        """
        from ..study.promote import rollback

        named = version.name if isinstance(version, Prompt) else version
        found = rollback(self.project, named, env, to=to, reason=reason)
        return Deployment.of(found) if found is not None else None

    def history(self, prompt: str, env: str = "prod") -> History:
        """What served in `env`, since when, who decided it, why, and on which evidence; newest
        last.
        """
        return History(self.project, prompt, env)

    def watch(
        self, prompt: Any, *, probe: Any, scorers: Sequence[Any], **options: Unpack[WatchOptions]
    ) -> Monitor:
        """Watch what env="prod" serves: freeze its answers to `probe` (ten repeats) as the anchor,
        which `promptops watch run` asks again each day.

        Writes promptops.monitors/<prompt>.<env>.json; where the same is watched already, nothing is
        asked. Raises StudyError where nothing serves or the anchor is incomplete.
        """
        return watched(self.project, prompt, probe, scorers, options)

    # -- data

    def runs(self, limit: int = 1000) -> DataFrame:
        """The latest runs of all studies and calls, newest first; at most `limit`."""
        return self.store.frame("select * from runs order by started_at desc limit ?", [limit])

    def sql(self, query: str, *, limit: int = 10_000) -> DataFrame:
        """Your own SQL over runs, attempts, scores, studies, study_runs, versions, examples,
        labels, verdicts, deployments, ...

        Reads only; at most `limit` rows.
        """
        return self.store.sql(query, limit=limit)

    def dashboard(self) -> Any:
        """Everything in one cell: prompts, studies, comparisons, registry."""
        return show.dashboard(self)

    # -- how it shows

    def __getitem__(self, name: str) -> Prompt:
        return self.prompt(name)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.project.registry.names())

    def __repr__(self) -> str:
        names = self.project.registry.names()
        listed = (
            ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            or "none yet: lab.prompt('name').save('text {{variable}}')"
        )
        return f"<lab at {self.project.root} ({self.project.location.why}); prompts: {listed}>"

    def _repr_html_(self) -> str:
        return show.html(self)


def _say(line: str) -> None:
    """One line where a person reads it: the cell's output in a notebook, else standard error."""
    stream = sys.stdout if in_kernel() else sys.stderr
    if in_kernel() or stream.isatty():
        stream.write(line + "\n")
