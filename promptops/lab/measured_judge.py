"""A judge is measured: asked again, against people, and for what it favours."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..analysis.agreement import krippendorff_interval
from ..analysis.correction import Corrected, ppi
from ..analysis.intervals import welch
from ..errors import StudyError, VersionError
from ..scorers.function import as_scorer
from ..signatures import explained
from ..study.ask import in_form
from ..study.calibration import LabelledAnswers, kappa_of, labelled
from ..study.injections import plant_injections
from ..study.judge_bias import Length, Position, correlation, position_bias
from ..study.queries.call_figures import judge_calls
from ..study.queries.judge_verdicts import verdicts_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from .study import Study
from ..version import PromptVersion
from ..version.request_forms import APIS
from .judge_report import JudgeReport, SelfPreference, Variance

__all__ = ["measure_judge"]


@explained
def measure_judge(
    study: Study, judge: object = None, labels: DataFrame | None = None, *, plant: int = 0
) -> JudgeReport:
    """Measure a judge on a study that it scored.

    Args:
        study: a study that the judge scored.
        judge: the scorer, or its name (default: the study's first judge).
        labels: a frame with run_id and value (0 to 1), instead of the labels in the store; only
            labels in the store calibrate a judge (`keep_labels`).
        plant: the number of answers to judge again with an injection appended (this needs the
            scorer itself; the calls are recorded and reused, like every call of a judge).
    """
    study.wait()
    name, scorer_version = _named(study, judge)
    rows = verdicts_of(study.recorded.project.store, study.id, name, scorer_version)
    main = [row for row in rows if row[4] == name]
    if not main:
        raise StudyError(
            f"{name} has judged nothing in {study.name}; evaluate or rescore the study with it"
            " first."
        )
    both = (
        labelled(study.recorded.project.store, name, scorer_version, study.id)
        if labels is None
        else _from_frame(labels, main)
    )
    compares = any(row[4] == f"{name}/shown first" for row in rows)
    scorer = _asked(judge, plant)
    model = scorer.judge.model if scorer is not None and hasattr(scorer, "judge") else None
    corrected, difference, arms = _corrected(study, main, both)
    calls, cost = _calls(study, scorer)
    return JudgeReport(
        name,
        scorer_version,
        scored=sum(row[5] is not None for row in main),
        unscored=sum(row[5] is None for row in main),
        labels=both,
        kappa=kappa_of(both.judge, both.human),
        alpha=(
            krippendorff_interval([both.judge, both.human], metric="interval") if both.n else None
        ),
        variance=_variance(rows, name),
        position=_positions(rows, name) if compares else None,
        length=_length(main, both),
        own=_self_preference(main, both, model),
        planted=(
            plant_injections(study.recorded, scorer, main, plant)
            if plant and scorer is not None
            else None
        ),
        corrected=corrected,
        difference=difference,
        calls=calls,
        cost_usd=cost,
        arms=arms,
    )


def _asked(judge: object, plant: int) -> Any:
    """The judge as a scorer that can be asked; None if it was only named.

    Raises StudyError if injections are to be planted and it was not passed.
    """
    if judge is not None and not isinstance(judge, str):
        return as_scorer(judge)
    if plant:
        raise StudyError(
            "planting injections asks the judge itself; pass the scorer, not its name."
        )
    return None


def _named(study: Study, judge: object) -> tuple[str, str]:
    """(name, version) of the judge's scorer in the study."""
    own = {scorer.name: scorer for scorer in study.record.scorers}
    if judge is None:
        judge = next((name for name, scorer in own.items() if scorer.kind == "judge"), None)
        if judge is None:
            raise StudyError(
                f"{study.name} has no judge among its scorers ({', '.join(own) or 'none'}); rescore"
                " it with rubric(...) or pairwise(...)."
            )
    if isinstance(judge, str):
        if judge not in own:
            raise StudyError(
                f"{judge!r} is not a scorer of {study.name}, which has {', '.join(own) or 'none'}."
            )
        return judge, own[judge].version
    scorer = as_scorer(judge)
    return scorer.name, scorer.version


def _from_frame(labels: DataFrame, main: Sequence[Any]) -> LabelledAnswers:
    judged = {row[3]: float(row[5]) for row in main if row[5] is not None}
    if not {"run_id", "value"} <= set(labels.columns):
        raise StudyError(
            f"labels have the columns {', '.join(map(str, labels.columns))}; expected run_id and"
            " value (0 to 1)."
        )
    means = labels.groupby("run_id")["value"].mean()
    both = sorted(run for run in means.index if run in judged)
    return LabelledAnswers(
        tuple(both), tuple(judged[run] for run in both), tuple(float(means[run]) for run in both)
    )


def _variance(rows: Sequence[Any], name: str) -> Variance:
    import numpy as np

    samples: dict[tuple[str, str], dict[str, list[float]]] = {}
    for version, example, _, run, scorer, value, *_ in rows:
        if value is not None and (scorer == name or scorer.startswith(f"{name}/sample ")):
            samples.setdefault((version, example), {}).setdefault(run, []).append(value)
    # the score itself is the mean of its samples: it replaces them only if it is alone
    answers = [
        [found[1:] if len(found) > 1 else found for found in runs.values()]
        for runs in samples.values()
    ]
    inside = [float(np.var(found, ddof=1)) for runs in answers for found in runs if len(found) > 1]
    judge = float(np.mean(inside)) if inside else None
    between = [
        (
            float(np.var([np.mean(found) for found in runs], ddof=1)),
            float(np.mean([1 / len(found) for found in runs])),
        )
        for runs in answers
        if len(runs) > 1
    ]
    generation = None
    if between and judge is not None:
        generation = max(float(np.mean([spread - judge * part for spread, part in between])), 0.0)
    return Variance(
        judge,
        generation,
        max((len(found) for runs in answers for found in runs), default=0),
        max(map(len, answers), default=0),
    )


def _positions(rows: Sequence[Any], name: str) -> Position:
    sides: dict[str, dict[str, str]] = {}
    for row in rows:
        if row[6] is not None and row[4] != name:
            sides.setdefault(row[3], {})[row[4].removeprefix(f"{name}/")] = row[6]
    both = [found for found in sides.values() if len(found) == 2]
    return position_bias(
        [found["shown first"] for found in both], [found["shown second"] for found in both]
    )


def _length(main: Sequence[Any], both: LabelledAnswers) -> Length | None:
    human = dict(zip(both.runs, both.human, strict=True))
    beyond = both.n >= 4
    found = {
        row[3]: (math.log1p(len(row[7] or "")), row[5] - (human[row[3]] if beyond else 0.0))
        for row in main
        if row[5] is not None and (not beyond or row[3] in human)
    }
    if len(found) < 4:
        return None
    return correlation(
        [x for x, _ in found.values()], [y for _, y in found.values()], beyond=beyond
    )


def _self_preference(
    main: Sequence[Any], both: LabelledAnswers, model: str | None
) -> SelfPreference | None:
    """None if the judge's model, or labels, are not known."""
    if model is None or not both.n:
        return None
    error = {
        run: judge - human
        for run, judge, human in zip(both.runs, both.judge, both.human, strict=True)
    }
    mine = {row[3] for row in main if row[8] == model}
    own, others = (
        [error[run] for run in error if run in mine],
        [error[run] for run in error if run not in mine],
    )
    if len(own) < 2 or len(others) < 2:
        return SelfPreference(None, None, None, len(own), len(others))
    low, high = welch(own, others) or (None, None)
    return SelfPreference(
        sum(own) / len(own) - sum(others) / len(others), low, high, len(own), len(others)
    )


def _corrected(
    study: Study, main: Sequence[Any], both: LabelledAnswers
) -> tuple[Corrected | None, float | None, tuple[str, str] | None]:
    """(PPI, the judge's own) difference of the study's first two arms, candidate - baseline, and
    their labels.
    """
    from ..study.grounds import baseline_of

    base = baseline_of(study.recorded)
    rest = [arm for arm in study.record.arms if arm.version != base.version]
    if not rest:
        return None, None, None
    new, human = rest[-1], dict(zip(both.runs, both.human, strict=True))
    judged: dict[str, dict[str, list[float]]] = {new.version: {}, base.version: {}}
    text: dict[str, dict[str, list[float]]] = {new.version: {}, base.version: {}}
    for version, example, _, run, _, value, *_ in main:
        if value is not None and version in judged:
            judged[version].setdefault(example, []).append(value)
            if run in human:
                text[version].setdefault(example, []).append(human[run])
    d, people = (
        _differences(judged, new.version, base.version),
        _differences(text, new.version, base.version),
    )
    mean = sum(d.values()) / len(d) if d else None
    known = [example for example in d if example in people]
    rest_d = [d[example] for example in d if example not in people]
    arms = (new.label, base.label)
    if len(known) < 2 or not rest_d:
        return None, mean, arms
    return (
        ppi([people[example] for example in known], [d[example] for example in known], rest_d),
        mean,
        arms,
    )


def _differences(
    found: Mapping[str, Mapping[str, list[float]]], new: str, base: str
) -> dict[str, float]:
    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    return {
        example: mean(values) - mean(found[base][example])
        for example, values in found[new].items()
        if example in found[base]
    }


def _calls(study: Study, scorer: object) -> tuple[int | None, float | None]:
    """Recorded runs of this judge's prompt in the whole store, and what they cost: in whichever
    form its model took it.
    """
    prompt = getattr(scorer, "prompt", None)
    if prompt is None:
        return None, None
    return judge_calls(study.recorded.project.store, tuple(_ids(prompt)))


def _ids(prompt: PromptVersion) -> Iterator[str]:
    """The ids of a judge's prompt in every form that can say it."""
    for api in APIS:
        with contextlib.suppress(VersionError):
            yield in_form(prompt, api).id
