"""The notebook's door: one object that saves prompts, runs studies, compares, promotes and rolls back.

Opening a lab reads and writes nothing. Every verb may be run again: saving, evaluating and promoting what is there
already changes nothing and pays for nothing.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from ..engine.loop import Background
from ..engine.prices import check_prices
from ..engine.retries import Limits
from ..errors import StudyError
from ..registry.editor import Editor
from ..run import utc
from ..study.ask import Desk
from ..study.design import StudyDesign, as_dataset, design, with_identity
from ..study.early_stopping import Settling
from ..study.plan import Plan
from ..study.provenance import Home, author, in_kernel, provenance
from ..study.records import keep_dataset, keep_study, keep_version
from ..study.resolve_model import Answerers
from .collections import Prompts, Studies
from .comparison import Comparison
from .deployments import History
from .project_store import ProjectStore
from .study import Study

if TYPE_CHECKING:
    import os

    from pandas import DataFrame

    from ..models.protocol import Model
    from ..store import Store
    from ..study.estimate import Estimate
    from ..version import PromptVersion
    from .deployments import Deployment

__all__ = ["EvaluateOptions", "Lab"]


class EvaluateOptions(TypedDict, total=False):
    """Keywords of `Lab.evaluate` and `Lab.estimate` beyond its own.

    name: for people; fresh: ask again what was answered before; plan: a Plan whose split, scorers and repeats it follows;
    stop_when: "settled" asks in batches of a shuffled order, and no more once the e-values settle the verdict against the incumbent
    (else the first version); concurrency: calls in flight (None: found out); budget_usd, budget_tokens: stop before spending more; timeout_s: of one
    attempt; deadline_s: of one call with its retries.
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


_LIMITS = ("concurrency", "budget_usd", "budget_tokens", "timeout_s", "deadline_s")


class Lab:
    """A project's prompts, runs and studies.

    root: the project's folder, found upwards from the working directory where not named; models: name -> an openai client,
    a model of promptops.models, or a callable of yours, which is a target: it gets the example's values by its parameters'
    names (a single value goes to a single parameter of any name); prices: model -> (input, output) in USD per million tokens.
    Raises SetupError for a model that can never answer, or a price that is none.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        models: Mapping[str, Any] | None = None,
        prices: Mapping[str, Any] | None = None,
    ) -> None:
        check_prices(prices)
        self._home = Home.find(root)
        self._prices = prices
        self._registry = Editor(self._home.registry)
        self._loop = Background()
        self._desk = Desk(self)
        self._live: dict[str, Study] = {}
        self._corrected: dict[
            tuple[str, str], Any
        ] = {}  # (dataset's fingerprint, example's id) -> the golden answer that was saved
        self.store: Store = ProjectStore(self._home.store, deployments=self._deployments)
        self._answerers = Answerers(models, self.store.keep_secret)
        _say(
            f"lab at {self._home.root} ({self._home.why}): registry {self._home.registry.name}, store {self._home.store.name}/"
        )

    # -- prompts

    @property
    def prompt(self) -> Prompts:
        """`lab.prompt("support-triage")` is that prompt; `lab.prompt` alone lists them all, and completes their names."""
        return Prompts(self)

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

        versions: saved versions or PromptVersions; dataset: a Dataset or whatever `Dataset.read` reads; the first scorer is
        the primary; models: evaluate each version on each of these instead of its own; target: a callable of yours in the
        model's place, which gets the example's values by its parameters' names. In a notebook the study returns at once and
        lives on; in a script it is done when it returns. What was answered before is not asked again. Raises StudyError,
        SetupError or ScorerError before anything is asked; in a script also what `Study.wait` raises.
        """
        return self._start(
            self._design(versions, dataset, scorers, models, target, repeats, options), options
        )

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
        """What `evaluate` with the same arguments would do: calls, reused runs, tokens, cost as a range, time. Asks nothing."""
        from ..study.estimate import estimate

        return estimate(
            self,
            self._design(versions, dataset, scorers, models, None, repeats, options),
            options.get("concurrency"),
        )

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
        """Fix before looking: split, primary, goal, guardrails, alpha, repeats and finalists are frozen into the store, before the runs.

        Comparisons of a study that was evaluated with it say whether the analysis followed it. finalists: the candidates that
        may be promoted on it; several are judged together (Holm).
        """
        from ..study.plan import freeze

        data = self._dataset(dataset)
        return freeze(
            self,
            prompt,
            data,
            scorers,
            policy=policy,
            repeats=repeats,
            split=split,
            finalists=finalists,
        )

    @property
    def studies(self) -> Studies:
        """All studies, newest first; `lab.studies["name"]` is one of them."""
        return Studies(self)

    def study(self, name: str) -> Study:
        """A study by name or id (or the beginning of it), also after a restart. Raises StudyError."""
        return Studies(self)[name]

    def compare(
        self, candidate: Any, baseline: Any = None, *, primary: str | None = None
    ) -> Comparison:
        """`candidate` against `baseline` (default: what its prompt serves in prod), over the latest studies of each."""
        from ..study.comparing import compare_across

        return compare_across(self, candidate, baseline, primary)

    def leaderboard(self, versions: Sequence[Any], *, primary: str | None = None) -> Any:
        """Versions with intervals, best first, over the latest studies of each, with Holm-corrected pairwise verdicts."""
        from ..study.comparing import leaderboard_across

        return leaderboard_across(self, versions, primary)

    def import_runs(
        self, table: Any, dataset: Any, scorers: Sequence[Any] = (), **columns: Any
    ) -> Study:
        """Outputs made elsewhere as a study: scored, compared and reported as if called. No model is asked.

        table: a DataFrame or list of dicts, one row an output. columns: names of its columns (example="example_id",
        version="version", output="output", sample=None), and versions={label: PromptVersion} where the prompts are known,
        prompt="name", name="...". Columns tokens_in, tokens_out, cost_usd, latency_ms, model and failure are kept.
        """
        from ..study.import_runs import import_runs

        return import_runs(self, table, self._dataset(dataset), scorers, **columns)

    # -- deployments

    def promote(
        self, version: Any, to: str, *, study: Study | None = None, **options: Any
    ) -> Deployment:
        """Serve `version` in the environment `to`, where the evidence of `study` carries it against what serves now.

        options: percent=10 (a canary share; again with another percent widens it, without one finishes it), reason="...", force=True (needs a reason, and is marked for ever),
        override="reason" (past a refusal or a roll back that stands), example=... Promoting what serves already changes nothing.
        Raises Refused with every unmet point and its next step, or Conflict.
        """
        from ..study.promote import promote

        return promote(self, version, to, study, **options)

    def rollback(
        self, version: Any, env: str, *, to: Any = None, reason: str = ""
    ) -> Deployment | None:
        """Undo `version` in `env` at once (a running canary: end it): the last different version serves again (or `to`). Nothing if it no longer serves.

        version: a saved version, or a prompt's name for whatever serves now. Ungated, and logged. A cell that rolls a version back does
        so whenever that version serves: nothing is asked, also where it was promoted once more since.
        """
        from ..study.promote import rollback

        return rollback(self, version, env, to=to, reason=reason)

    def history(self, prompt: str, env: str = "prod") -> History:
        """What served in `env`, since when, who decided it, why, and on which evidence; newest last."""
        return History(self, prompt, env)

    # -- data

    def runs(self, limit: int = 1000) -> DataFrame:
        """The latest runs of all studies and calls, newest first; at most `limit`."""
        return self.store.frame("select * from runs order by started_at desc limit ?", [limit])

    def sql(self, query: str, *, limit: int = 10_000) -> DataFrame:
        """Your own SQL over runs, attempts, scores, studies, study_runs, versions, examples, labels, verdicts, deployments, ...

        Reads only; at most `limit` rows.
        """
        return self.store.sql(query, limit=limit)

    def dashboard(self) -> Any:
        """Everything in one cell: prompts, studies, comparisons, registry."""
        from ..views.dashboard import dashboard

        return dashboard(self)

    # -- inside: what prompts, studies and views ask of their lab

    @property
    def _root(self) -> Path:
        return self._home.root

    @cached_property
    def _author(self) -> str:
        return author(str(self._home.root))

    def _dataset(self, value: Any) -> Any:
        return as_dataset(value, self._home.root)

    def _model(self, name: str | None) -> Model:
        return self._answerers.of(name)

    def _limits(self, options: Mapping[str, Any]) -> Limits:
        return Limits(
            prices=self._prices, **{name: options[name] for name in _LIMITS if name in options}
        )

    def _design(
        self,
        versions: Sequence[Any],
        dataset: Any,
        scorers: Sequence[Any],
        models: Any,
        target: Any,
        repeats: int,
        options: Mapping[str, Any],
    ) -> StudyDesign:
        """The checked design of a study: everything that can be said before money is spent is said here."""
        from ..study.preflight import check_design, checked_scorers

        versions = versions if isinstance(versions, (list, tuple)) else [versions]
        if isinstance(models, str):
            raise StudyError(
                f"models is the text {models!r}; pass a list of names, as in models=[{models!r}]."
            )
        data = self._dataset(dataset)
        plan = options.get("plan")
        if plan is not None:
            data, scorers, repeats = plan.follow(data, scorers, repeats)
        unknown = set(options) - set(EvaluateOptions.__annotations__)
        if unknown:
            raise TypeError(
                f"evaluate has no option {sorted(unknown)[0]!r}; it has {', '.join(sorted(EvaluateOptions.__annotations__))}."
            )
        drawn = design(
            versions,
            data,
            checked_scorers(scorers),
            answerers=self._answerers,
            models=models,
            target=target,
            repeats=repeats,
        )
        drawn = drawn.at(self._root)
        for sentence in check_design(
            drawn, budget_usd=options.get("budget_usd"), prices=self._prices
        ):
            warnings.warn(sentence, stacklevel=4)
        salt = ""
        if options.get("fresh"):
            salt = utc()
        return with_identity(drawn, options.get("name"), salt)

    def _start(self, drawn: StudyDesign, options: Mapping[str, Any]) -> Study:
        from ..study.study_run import Work

        running = self._live.get(drawn.id)
        if running is not None and running.status == "running":
            return running
        keep_dataset(self.store, drawn.dataset, self._root)
        for arm in drawn.arms:
            keep_version(self.store, arm.version, prompt=arm.prompt, label=arm.label)
        where = provenance(self._home.root)
        plan = options.get("plan")
        config = {**drawn.config(), **({"plan": plan.id} if plan is not None else {})}
        head: dict[str, Any] = {
            "id": drawn.id,
            "name": drawn.name,
            "prompt": drawn.prompt,
            "config": config,
        }
        new = keep_study(
            self.store,
            {**head, "author": self._author, "cell": where.cell, "git_commit": where.git_commit},
        )
        study = self._live.get(drawn.id) or (None if new else Studies(self).recorded(drawn.id))
        study = study or Study(
            self, **head, created=utc().replace("T", " ")
        )  # also where the store has just been removed
        settling = self._settling(drawn, study, options)
        limits = self._limits(options)
        desk = Desk(self, limits, lambda: work.sweep.progress, where)
        work = Work(
            drawn, self.store, limits=limits, provenance=where, ask=desk.ask, settling=settling
        )
        study._start(work, self._loop)
        self._live[drawn.id] = study
        if not in_kernel():
            study._watch()
        return study

    def _settling(
        self, drawn: StudyDesign, study: Study, options: Mapping[str, Any]
    ) -> Settling | None:
        """How a study may end early; None where it goes to its end. Raises StudyError where nothing could settle it."""
        if options.get("stop_when") is None:
            return None
        from ..study.comparing import baseline_of, policy_for

        if options["stop_when"] != "settled" or len(drawn.arms) < 2 or not drawn.scorers:
            raise StudyError(
                'stop_when="settled" is the one way to end early, and needs two versions and a scorer to settle.'
            )
        return Settling(drawn, self.store, policy_for(study), str(baseline_of(study)["version"]))

    def _remember(self, version: PromptVersion, *, prompt: str, label: str, note: str) -> None:
        keep_version(self.store, version, prompt=prompt, label=label, note=note)

    def _environments(self, prompt: str) -> Mapping[str, int]:
        return self._registry.environments(prompt)

    def _gate(self, version: Any, env: str, study: Study | None, **options: Any) -> tuple[str, ...]:
        from ..review.review import gate_says

        return gate_says(self, version, env, study, **options)

    def _deployments(self) -> list[Mapping[str, Any]]:
        from .deployments import rows

        return rows(self._registry)

    # -- how it shows

    def __getitem__(self, name: str) -> Any:
        return self.prompt(name)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._registry.names())

    def __repr__(self) -> str:
        names = self._registry.names()
        listed = (
            ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            or "none yet: lab.prompt('name').save('text {{variable}}')"
        )
        return f"<lab at {self._home.root} ({self._home.why}); prompts: {listed}>"

    def _repr_html_(self) -> str:
        from ..views.overview import lab_html

        return lab_html(self)


def _say(line: str) -> None:
    """One line where a person reads it: the cell's output in a notebook, else standard error."""
    stream = sys.stdout if in_kernel() else sys.stderr
    if in_kernel() or stream.isatty():
        stream.write(line + "\n")
