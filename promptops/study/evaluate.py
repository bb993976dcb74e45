"""Evaluating versions on examples: the checked design, its record, and the run that is started.

Everything that can be known before money is spent raises here, before anything is asked.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from ..engine.loop import refuse_at_exit
from ..errors import StudyError
from ..garbage import collecting_rarely
from ..markup import count
from ..run import utc
from ..store.recorder import outside
from .ask import Asker
from .batch_records import StoredBatches, open_batches
from .design import StudyDesign, as_dataset, design
from .judges_ready import check_judges
from .preflight import check_design, checked_scorers
from .questions import with_identity
from .recorded_study import RecordedStudy
from .records import keep_dataset, keep_version
from .resume import begun_or_resumed
from .running import RunningStudy
from .searched_rows import keep_seen
from .study_run import StudyRun

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..engine.executor import Executor
    from ..policy import Policy
    from .early_stopping import EarlyStop
    from .project import Project

__all__ = ["EvaluateOptions", "FollowedPlan", "batch_wait_s", "draw", "start"]

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([hms])")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


class FollowedPlan(Protocol):
    """The part of a plan that a study follows."""

    id: str

    @property
    def policy(self) -> Policy:
        """By which its studies are judged."""

    def follow(
        self, dataset: Dataset, scorers: Sequence[object], repeats: int
    ) -> tuple[Dataset, Sequence[object], int]:
        """The planned rows, scorers and repeats. Raises StudyError for anything else."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How a study is evaluated, beside its versions, dataset and scorers.

    name: for people; fresh: ask again what was answered before; plan: whose split, scorers and
    repeats it follows; stop_when: "settled" asks in batches of a shuffled order, and no more once
    the e-values settle the verdict; limits: those of `engine.question.Limits` that were chosen:
    concurrency, budget_usd, budget_tokens, timeout_s, deadline_s.
    salt: asks again, like `fresh`, what was not asked under the same salt before: the same probe on
    the same day is one study; batch: ask remote models by batches, for whose answers the study does
    not wait (True), or so long ("2h"); role: "probe" keeps it out of the lists of studies; repeats:
    answers of each version to each example, the plan's if it follows one.
    """

    name: str | None = None
    fresh: bool = False
    plan: FollowedPlan | None = None
    stop_when: Literal["settled"] | None = None
    limits: Mapping[str, object] = field(default_factory=dict)
    salt: str = ""
    role: str = ""
    batch: bool | str | float = False
    repeats: int = 1

    @property
    def wait_s(self) -> float | None:
        """Seconds for which batches are waited for; None if single calls are made.

        Raises:
            StudyError: `batch` is not a time.
        """
        return batch_wait_s(self.batch)


@collecting_rarely()
def draw(
    project: Project,
    versions: object,
    dataset: object,
    scorers: Sequence[object],
    options: EvaluateOptions,
    *,
    models: Sequence[str] | None = None,
    target: Callable[..., object] | None = None,
) -> StudyDesign:
    """The checked design of a study; warnings of the checks are warned.

    Raises:
        StudyError, SetupError, ScorerError, DatasetError: for whatever makes it pointless to begin.
    """
    refuse_at_exit()
    if options.wait_s is not None and options.fresh:
        raise StudyError(
            "fresh=True asks again at every run, so that a batch of it would never be collected;"
            " leave one of fresh and batch out."
        )
    named: object = options.name  # a notebook or a study file may say anything
    if named is not None and not isinstance(named, str):
        raise StudyError(f"name is {named!r}; expected a text, as in name='tone'.")
    versions = versions if isinstance(versions, (list, tuple)) else [versions]
    if isinstance(models, str):
        raise StudyError(
            f"models is the text {models!r}; pass a list of names, as in models=[{models!r}]."
        )
    data, repeats = as_dataset(dataset, project.store, project.root), options.repeats
    if options.plan is not None:
        if not hasattr(options.plan, "follow"):
            raise StudyError(
                f"plan is {options.plan!r}; expected what lab.plan(...) returned, or None."
            )
        data, scorers, repeats = options.plan.follow(data, scorers, repeats)
    drawn = design(
        versions,
        data,
        checked_scorers(scorers),
        answerers=project.models,
        models=models,
        target=target,
        repeats=repeats,
    ).at(project.root)
    limits = project.limits(**options.limits)
    notes = check_design(drawn, budget_usd=limits.budget_usd, prices=project.prices)
    check_judges(project, drawn.scorers, limits.budget_usd)
    for sentence in notes:
        warnings.warn(sentence, stacklevel=outside())
    salt = options.salt or (utc() if options.fresh else "")
    name = project.store.clean(options.name) if options.name else options.name
    drawn = replace(drawn, role=options.role, since=utc() if options.fresh else "")
    return with_identity(drawn, name, salt)


@collecting_rarely()
def start(project: Project, drawn: StudyDesign, options: EvaluateOptions) -> RecordedStudy:
    """Record the design, and begin to run it on the project's loop. What the team answered already
    is brought first, so that nobody pays for it twice.
    """
    project.store.look()
    executor = _executor(project, drawn, options)
    if keep_dataset(project.store, drawn.dataset, project.root):
        keep_seen(project.store, drawn.dataset)
    for arm in drawn.arms:
        keep_version(project.store, arm.version, prompt=arm.prompt, label=arm.label)
    where = project.provenance()
    plan = options.plan.id if options.plan is not None else None
    policy = options.plan.policy if options.plan is not None else None
    policy = policy or project.registry.policy(drawn.prompt or None)
    made = replace(drawn.record(), plan=plan, named=policy.primary or drawn.record().primary)
    record, first = begun_or_resumed(project, made, where)
    study = RecordedStudy(project, record)
    limits = project.limits(**options.limits)
    asker = Asker(
        project,
        limits,
        lambda: work.progress,
        where,
        executor=executor,
        since=drawn.since,
    )
    work = StudyRun(
        drawn,
        project.store,
        limits=limits,
        provenance=where,
        asker=asker,
        settling=_settling(drawn, study, options),
        executor=executor,
    )
    running = project.running[study.id] = RunningStudy(record, work, first=first)
    running.begin(project.loop)
    return study


def batch_wait_s(batch: object) -> float | None:
    """Seconds of `batch`: None for False, 0 for True, else of a text such as "2h", "90m" or "45s",
    or a number of seconds.

    Raises:
        StudyError: it is something else.
    """
    if batch is False or batch is None:
        return None
    if batch is True:
        return 0.0
    if isinstance(batch, (int, float)) and 0 <= batch < float("inf"):
        return float(batch)
    found = _TIME.fullmatch(str(batch).strip())
    if found is None:
        raise StudyError(
            f'batch is {batch!r}; expected True, or how long to wait, as in "2h", "90m" or "45s".'
        )
    return float(found[1]) * _UNITS[found[2]]


def _executor(project: Project, drawn: StudyDesign, options: EvaluateOptions) -> Executor:
    """Who asks: batches where they were chosen.

    Raises:
        StudyError: single calls were chosen while batches of the study are to be collected.
    """
    if options.wait_s is not None:
        from ..engine.batch_pass import Batches, BatchPace

        pace = BatchPace(wait_s=options.wait_s)
        return Batches(StoredBatches(project.store, drawn.id, drawn.fresh), pace)
    waiting = [intent for intent, study in open_batches(project.store) if study == drawn.id]
    if waiting:
        left = sum(len(intent.keys) - len(intent.collected) for intent in waiting)
        raise StudyError(
            f"{count(left, 'question')} of this study, handed in as batches, would be paid for"
            " twice; collect them with batch=True (`--batch`), or give them up first with"
            f" `promptops batches forget {waiting[0].id}`."
        )
    return project.executor


def _settling(
    drawn: StudyDesign, study: RecordedStudy, options: EvaluateOptions
) -> EarlyStop | None:
    """How a study may end early; None if it goes to its end.

    Raises:
        StudyError: nothing could settle it.
    """
    if options.stop_when is None:
        return None
    if options.stop_when != "settled" or len(drawn.arms) < 2 or not drawn.scorers:
        raise StudyError(
            'stop_when="settled" is the one way to end early, and needs two versions and a scorer '
            "to settle."
        )
    from .early_stopping import EarlyStop
    from .grounds import baseline_of, policy_for, pooled_grounds

    policy, baseline = policy_for(study), baseline_of(study).version
    grounds = partial(pooled_grounds, study)
    return EarlyStop(drawn, study.project.store, policy, baseline, grounds)
