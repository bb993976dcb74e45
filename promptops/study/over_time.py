"""One version, or one environment, over time: how it scored then and now, and what it has lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..analysis.arms import Arm, part, why_unscored
from ..analysis.compare import compare
from ..analysis.facts import mean_interval
from ..errors import PromptOpsError, StudyError
from .asking_order import order
from .compared import Compared
from .comparing import rival_arms
from .golden_labels import labelled_arms
from .grounds import baseline_of, grounds_of, labels_in, policy_for
from .judgements import tried_before
from .other_model import other_models
from .queries.studies import earlier_study_of, studies_asking
from .recorded_study import RecordedStudy, find_study
from .stored_arms import arms_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from .project import Project

__all__ = ["over_time", "pass_at", "peek", "since"]

_COLUMNS = (
    *("study", "created_at", "dataset", "version", "scorer", "n", "unscored", "mean", "low"),
    *("high", "better", "worse", "p_value", "calls", "cost_usd", "first", "last"),
    *("fingerprints", "study_id"),
)


def over_time(
    project: Project, versions: Mapping[str, str], primary: str | None = None
) -> DataFrame:
    """One row per study and version, oldest first.

    Args:
        project: whose studies are read.
        versions: version id -> label.
        primary: the scorer; None: each study's own primary.

    Returns:
        mean with its 95 % interval over n examples; better, worse: how many examples changed since
        the version's row before on the same scorer (None on the first, or where no example is
        shared); p_value: the two-sided exact p value of that change.
    """
    import pandas as pd

    before: dict[tuple[str, str], Arm] = {}
    out = []
    for study_id, version, created in studies_asking(project.store, list(versions)):
        study = find_study(project, study_id)
        name = primary or study.record.primary
        source = (study_id, version, versions[version])
        try:
            arm = arms_of(project.store, [source], study.record.scorers)[0]
        except PromptOpsError:
            continue
        if name not in arm.scores:
            continue
        out.append(_row(study, arm, name, created, before.get((version, name))))
        before[version, name] = arm
    return pd.DataFrame(out, columns=list(_COLUMNS))


def _row(
    study: RecordedStudy, arm: Arm, name: str, created: object, earlier: Arm | None
) -> dict[str, object]:
    outcomes = arm.scores[name]
    known = outcomes.mean[outcomes.scored > 0]
    low, high = mean_interval(known, outcomes.binary and outcomes.repeats <= 1) or (None, None)
    return {
        "study": study.name,
        "created_at": created,
        "dataset": study.record.dataset.name,
        "version": arm.label,
        "scorer": name,
        "n": len(known),
        "unscored": len(outcomes.examples) - len(known),
        "mean": float(known.mean()) if len(known) else None,
        "low": low,
        "high": high,
        **_changed(arm, earlier, name),
        "calls": arm.facts["calls"],
        "cost_usd": arm.facts["cost_usd"],
        "first": arm.facts["first"],
        "last": arm.facts["last"],
        "fingerprints": ", ".join(arm.facts["fingerprints"]),
        "study_id": study.id,
    }


def _changed(arm: Arm, earlier: Arm | None, name: str) -> dict[str, object]:
    """How many examples changed since an earlier row, and the p value of that change."""
    nothing: dict[str, object] = {"better": None, "worse": None, "p_value": None}
    if earlier is None:
        return nothing
    try:
        figures = compare(arm, earlier, primary=name).primary
    except PromptOpsError:  # other examples, or another version of the scorer
        return nothing
    p = min(1.0, 2 * min(figures.p_better, figures.p_worse))
    return {"better": figures.wins, "worse": figures.losses, "p_value": p}


def since(study: RecordedStudy, earlier: RecordedStudy | None, version: object) -> Compared:
    """A version's answers in this study against its answers in an earlier one.

    Args:
        study: the study at hand.
        earlier: None: the latest before it that asked again.
        version: which arm; None: the last.

    Raises:
        StudyError: there is no earlier study.
    """
    record, project = study.record, study.project
    arm = record.arm(version) if version is not None else record.arms[-1]
    if earlier is None:
        found = earlier_study_of(project.store, arm.version, study.id)
        if found is None:
            raise StudyError(
                f"{arm.label} has no earlier study with answers of its own; ask it again with "
                "lab.evaluate(..., fresh=True) later, and compare then."
            )
        earlier = find_study(project, found)
    sources = [
        (study.id, arm.version, f"{arm.label} now"),
        (earlier.id, arm.version, f"{arm.label} in {earlier.name}"),
    ]
    return _compared(study, arms_of(project.store, sources, record.scorers))


def peek(study: RecordedStudy, candidate: object, baseline: object) -> Compared:
    """Two arms on what is in so far, while the study runs: only the e-values may decide (E >=
    1/alpha).

    Only examples from the beginning of the study's shuffled order that both arms have answered
    count, up to the first that is missing: neither what finished first nor the order of the rows
    decides anything.

    Raises:
        StudyError: no example is answered by both yet.
    """
    record = study.record
    b = record.arm(candidate) if candidate is not None else record.arms[-1]
    a = record.arm(baseline) if baseline is not None else baseline_of(study)
    if a.version == b.version and baseline is None:
        a = next((arm for arm in record.arms if arm.version != b.version), a)
    store, sources = study.project.store, record.sources((b, a))
    found = labelled_arms(store, sources, record.scorers, labels_in(study))
    first = record.primary
    answered = [set(arm.scores[first].examples) if first in arm.scores else set() for arm in found]
    chosen: set[str] = set()
    for example in order(study.id, [example.id for example in study.dataset]):
        if not all(example in ids for ids in answered):
            break
        chosen.add(example)
    if not chosen:
        raise StudyError(
            why_unscored(found)
            or f"no example of {study.name} is answered by both {b.label} and {a.label} yet; look"
            f" again in a moment."
        )
    mixed = other_models(store, sources[::-1], record.scorers)
    out = _compared(study, [part(arm, chosen) for arm in found], looked=True, mixed=mixed)
    out.peeking = True
    out.early = (
        f"Looked at early: the first {len(chosen):,} of {len(study.dataset):,} examples of "
        "the shuffled order; only the e-value decides."
    )
    return out


def _compared(
    study: RecordedStudy, arms: Sequence[Arm], *, looked: bool = False, mixed: Sequence[str] = ()
) -> Compared:
    """looked: while it runs, so that the e-value has to bear every candidate and what was tried;
    mixed: sentences on answers of more than one model.
    """
    policy = policy_for(study)
    grounds = replace(grounds_of(study, (arms[0], arms[1])), planned=None, mixed=tuple(mixed))
    if looked and study.record.rules >= 2:
        pair = (arms[0].version, arms[1].version)
        others, field = rival_arms(study, *pair)
        primary = policy.primary or study.record.primary
        tried = tried_before(study.project.store, study.record, pair, primary, field)
        grounds = replace(grounds, looked=1 + len(others), tried=tried)
    facts = compare(
        arms[0],
        arms[1],
        grounds=grounds,
        primary=policy.primary,
        alpha=policy.alpha,
        ties=policy.ties,
    )
    return Compared(facts, policy)


def pass_at(study: RecordedStudy, k: int, name: str | None) -> DataFrame:
    """One row per arm: pass@k (one of k is right) and pass^k (all k are), with 95 % t intervals
    over examples, and the plain mean beside them.

    Raises:
        StudyError: the study has fewer than k repeats, or the outcomes are not 0 or 1.
    """
    import pandas as pd

    repeats = study.record.repeats
    if isinstance(k, int) and k > repeats:
        raise StudyError(
            f"pass@{k} needs {k} answers of each example, and {study.name} has {repeats}; evaluate "
            f"with repeats={k}: what is there is not asked again."
        )
    rows = [_pass_row(study, arm, k, name or study.record.primary) for arm in study.arms()]
    found = pd.DataFrame(rows).set_index("arm")
    return found.astype({c: float for c in found.columns if c not in ("examples", "skipped")})


def _pass_row(study: RecordedStudy, arm: Arm, k: int, scorer: str) -> dict[str, object]:
    from ..analysis.repeats import mean_pass_at_k, mean_pass_hat_k

    if scorer not in arm.scores:
        raise StudyError(
            why_unscored([arm])
            or f"{arm.label} has no scores by {scorer!r}; the study's scorers are"
            f" {', '.join(ref.name for ref in study.record.scorers)}."
        )
    outcomes = arm.scores[scorer]
    if not outcomes.scored.any():
        raise StudyError(
            f"Not one answer of {arm.label} could be scored by {scorer}; study.scores() says why."
        )
    if not outcomes.binary:
        raise StudyError(
            f"pass@k needs outcomes that are 0 or 1, and {scorer} gives others; give it a"
            " threshold."
        )
    asked = [int(count) for count in outcomes.scored.tolist()]
    passed = [
        round(mean * n) if n else 0 for mean, n in zip(outcomes.mean.tolist(), asked, strict=True)
    ]
    one, every = mean_pass_at_k(passed, asked, k), mean_pass_hat_k(passed, asked, k)
    known = outcomes.mean[outcomes.scored > 0]
    return {
        "arm": arm.label,
        "examples": one.n,
        "skipped": one.skipped,
        "mean": float(known.mean()) if len(known) else None,
        f"pass@{k}": one.value,
        "low": one.low,
        "high": one.high,
        f"pass^{k}": every.value,
        f"low^{k}": every.low,
        f"high^{k}": every.high,
    }
