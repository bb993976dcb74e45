"""One version, or one environment, over time and studies: how it scored then and now, and which examples it has lost since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.arms import Arm, why_unscored
from ..analysis.compare import compare
from ..analysis.facts import mean_interval
from ..errors import PromptOpsError, StudyError
from ..lab.comparison import Comparison
from .comparing import baseline_of, grounds_of, policy_for
from .early_stopping import part
from .outcomes import arms_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..lab.deployments import History
    from ..lab.lab import Lab
    from ..lab.study import Study

__all__ = ["environment_over_time", "over_time", "pass_at", "peek", "since"]

_COLUMNS = ("study", "created_at", "dataset", "version", "scorer", "n", "unscored", "mean", "low", "high", "better", "worse", "by_luck", "calls", "cost_usd", "first", "last", "fingerprints", "study_id")  # fmt: skip


def over_time(lab: Lab, versions: Mapping[str, str], primary: str | None = None) -> DataFrame:
    """One row a study and version (id -> label), oldest first, by the scorer named or the study's primary.

    mean with its 95 % interval over n examples; better, worse: examples that changed since the version's row before on the same
    scorer (None on the first, or where no example is shared), by_luck: two-sided exact p of that change.
    """
    import pandas as pd

    rows = lab.store.rows(
        "select distinct m.study_id, m.version_id, s.created_at from study_runs m join studies s on s.id = m.study_id "
        "where m.version_id in (select unnest(?)) order by s.created_at, m.study_id, m.version_id",
        [list(versions)],
    )
    before: dict[tuple[str, str], Arm] = {}
    out = []
    for study_id, version, created in rows:
        study = lab.studies[study_id]
        name = primary or (study.scorers[0] if study.scorers else "")
        try:
            arm = arms_of(
                lab.store, [(study_id, version, versions[version])], study.config["scorers"]
            )[0]
        except PromptOpsError:
            continue
        if name not in arm.scores:
            continue
        out.append(_row(study, arm, name, created, before.get((version, name))))
        before[version, name] = arm
    return pd.DataFrame(out, columns=list(_COLUMNS))


def _row(study: Study, arm: Arm, name: str, created: Any, earlier: Arm | None) -> dict[str, Any]:
    outcomes = arm.scores[name]
    known = outcomes.mean[outcomes.scored > 0]
    low, high = mean_interval(known, outcomes.binary and outcomes.repeats <= 1) or (None, None)
    changed: dict[str, Any] = {"better": None, "worse": None, "by_luck": None}
    if earlier is not None:
        try:
            figures = compare(arm, earlier, primary=name).primary
            changed = {
                "better": figures.wins,
                "worse": figures.losses,
                "by_luck": min(1.0, 2 * min(figures.p_better, figures.p_worse)),
            }
        except (
            PromptOpsError
        ):  # other examples, or another version of the scorer: nothing to set side by side
            changed = {"better": None, "worse": None, "by_luck": None}
    return {
        "study": study.name,
        "created_at": created,
        "dataset": study.config["dataset"]["name"],
        "version": arm.label,
        "scorer": name,
        "n": len(known),
        "unscored": len(outcomes.examples) - len(known),
        "mean": float(known.mean()) if len(known) else None,
        "low": low,
        "high": high,
        **changed,
        "calls": arm.facts["calls"],
        "cost_usd": arm.facts["cost_usd"],
        "first": arm.facts["first"],
        "last": arm.facts["last"],
        "fingerprints": ", ".join(arm.facts["fingerprints"]),
        "study_id": study.id,
    }


def environment_over_time(history: History, primary: str | None = None) -> DataFrame:
    """The same for what an environment has served, in the order of serving; a version that was never evaluated has no row."""
    deployed = {entry.id: f"v{entry.number}" for entry in history.deployments}
    return over_time(history._lab, deployed, primary)


def since(study: Study, earlier: Study | None, version: Any) -> Comparison:
    """A version's answers in this study against its answers in an earlier one (default: the latest before that asked anew).

    `.flips()` lists the examples that it has lost since, biggest loss first. Raises StudyError where there is no earlier study.
    """
    lab = study._lab
    arm = study._arm(version) if version is not None else study.config["arms"][-1]
    if earlier is None:
        rows = lab.store.rows(
            "select m.study_id from study_runs m join studies s on s.id = m.study_id where m.version_id = ? and m.study_id <> ? and s.created_at <= "
            "(select max(created_at) from studies where id = ?) and m.run_id not in (select run_id from study_runs where study_id = ?) "
            "group by m.study_id order by max(s.created_at) desc limit 1",
            [arm["version"], study.id, study.id, study.id],
        )
        if not rows:
            raise StudyError(
                f"{arm['label']} has no earlier study with answers of its own; ask it again with lab.evaluate(..., fresh=True) some day, and compare then."
            )
        earlier = lab.studies[rows[0][0]]
    sources = [
        (study.id, arm["version"], f"{arm['label']} now"),
        (earlier.id, arm["version"], f"{arm['label']} in {earlier.name}"),
    ]
    found = arms_of(lab.store, sources, study.config["scorers"])
    return _shown(study, found)


def peek(study: Study, candidate: Any, baseline: Any) -> Comparison:
    """Two arms on what is in so far, while the study runs: only the e-values may decide (E >= 1/alpha, at any look).

    Only examples from the beginning of the study that both arms have answered count, up to the first that is missing, so that what
    finished first decides nothing.
    """
    arms = [study._arm(value) if value is not None else None for value in (candidate, baseline)]
    b, a = arms[0] or study.config["arms"][-1], arms[1] or baseline_of(study)
    if a["version"] == b["version"] and arms[1] is None:
        a = next((arm for arm in study.config["arms"] if arm["version"] != b["version"]), a)
    found = arms_of(
        study._lab.store,
        [(study.id, arm["version"], arm["label"]) for arm in (b, a)],
        study.config["scorers"],
    )
    first = study.scorers[0] if study.scorers else ""
    answered = [set(arm.scores[first].examples) if first in arm.scores else set() for arm in found]
    chosen: set[str] = set()
    for example in study.dataset:
        if not all(example.id in ids for ids in answered):
            break
        chosen.add(example.id)
    if not chosen:
        raise StudyError(
            why_unscored(found)
            or f"no example of {study.name} is answered by both {b['label']} and {a['label']} yet; look again in a moment."
        )
    shown = _shown(study, [part(arm, chosen) for arm in found])
    shown.peeking = True
    shown.early = f"Looked at early: the first {len(chosen):,} of {len(study.dataset):,} examples, in the dataset's order; only the e-value decides."
    return shown


def _shown(study: Study, arms: Sequence[Arm]) -> Comparison:
    policy = policy_for(study)
    grounds = replace(grounds_of(study._lab, study, (arms[0], arms[1])), planned=None)
    facts = compare(
        arms[0],
        arms[1],
        grounds=grounds,
        primary=policy.primary,
        alpha=policy.alpha,
        ties=policy.ties,
    )
    return Comparison.shown(facts, policy, study._lab)


def pass_at(study: Study, k: int, name: str | None) -> DataFrame:
    """One row an arm: pass@k (one of k is right) and pass^k (all k are), each with its 95 % t interval over examples; the plain mean beside."""
    import pandas as pd

    from ..analysis.repeats import mean_pass_at_k, mean_pass_hat_k

    rows = []
    for arm in study.arms():
        measure = name or study.scorers[0]
        if measure not in arm.scores:
            raise StudyError(
                why_unscored([arm])
                or f"{arm.label} has no scores by {measure!r}; the study's scorers are {', '.join(study.scorers)}."
            )
        outcomes = arm.scores[measure]
        if not outcomes.binary:
            raise StudyError(
                f"pass@k needs outcomes that are 0 or 1, and {measure} gives others; give it a threshold."
            )
        asked = [int(count) for count in outcomes.scored.tolist()]
        passed = [
            round(mean * n) if n else 0
            for mean, n in zip(outcomes.mean.tolist(), asked, strict=True)
        ]
        one, every = mean_pass_at_k(passed, asked, k), mean_pass_hat_k(passed, asked, k)
        known = outcomes.mean[outcomes.scored > 0]
        row = {
            "arm": arm.label,
            "examples": one.n,
            "skipped": one.skipped,
            "mean": float(known.mean()) if len(known) else None,
        }
        row |= {f"pass@{k}": one.value, "low": one.low, "high": one.high}
        rows.append(
            {**row, f"pass^{k}": every.value, f"low^{k}": every.low, f"high^{k}": every.high}
        )
    return pd.DataFrame(rows).set_index("arm")
