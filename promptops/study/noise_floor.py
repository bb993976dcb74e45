"""The A/A noise floor: a version asked twice and compared with itself. Whatever it differs by is noise, not merit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..analysis.arms import Arm, Outcomes, why_unscored
from ..analysis.compare import Grounds, compare
from ..errors import StudyError
from ..lab.comparison import Comparison

if TYPE_CHECKING:
    from ..lab.lab import Lab
    from ..lab.prompt import SavedVersion
    from ..lab.study import Study

__all__ = ["measure", "measured"]

_SCORES = (
    "select s.scorer, m.example_id, m.repeat, any_value(case when s.passed is null then s.value else s.passed::double end), any_value(s.scorer_version) "
    "from study_runs m join scores s on s.run_id = m.run_id and s.example_fingerprint = m.example_fingerprint "
    "join (select unnest(?) as name, unnest(?) as edition) own on s.scorer = own.name and s.scorer_version = own.edition "
    "where m.study_id = ? and m.version_id = ? and m.repeat < 2 group by all order by all"
)


def measure(
    lab: Lab, version: SavedVersion, dataset: Any, scorers: Sequence[Any], name: str | None
) -> Comparison:
    """Ask `version` twice on every example (what was asked before is reused) and compare the second answers with the first."""
    study = lab.evaluate(
        [version],
        dataset,
        scorers,
        repeats=2,
        name=name or f"{version.prompt}-{version.label}-noise",
    ).wait()
    return _against_itself(lab, study, version.id, version.label)


def measured(
    lab: Lab, version: str, scorers: Sequence[Mapping[str, Any]]
) -> tuple[float, float | None, float | None] | None:
    """(mean difference, 90 % interval) of the latest study that asked this version twice by the primary; None: not measured."""
    if not scorers:
        return None
    rows = lab.store.rows(
        "select m.study_id from study_runs m join studies s on s.id = m.study_id where m.version_id = ? and m.repeat = 1 "
        "and contains(s.config, ?) group by m.study_id order by max(s.created_at) desc limit 1",
        [version, f'"name": "{scorers[0]["name"]}"'.replace("\\", "\\\\")],
    )
    if not rows:
        return None
    name = scorers[0]["name"]
    arms = _two(lab, rows[0][0], version, version)
    if any(name not in arm.scores for arm in arms):
        return None
    figures = compare(arms[1], arms[0], primary=name).primary
    return figures.gain, figures.low, figures.high


def _against_itself(lab: Lab, study: Study, version: str, label: str) -> Comparison:
    first, second = _two(lab, study.id, version, label)
    if not first.scores and not second.scores and (why := why_unscored(study.arms())):
        raise StudyError(why)
    grounds = Grounds(
        prompt=study.prompt,
        study=study.id,
        dataset=study.dataset.name,
        fingerprint=study.dataset.fingerprint,
        planned=len(study.dataset),
    )
    return Comparison.shown(
        compare(second, first, grounds=grounds), lab._registry.policy(study.prompt or None), lab
    )


def _two(lab: Lab, study: str, version: str, label: str) -> tuple[Arm, Arm]:
    """The first and the second answers as arms."""
    found: list[dict[str, dict[str, list[float | None]]]] = [{}, {}]
    versions: dict[str, set[str]] = {}
    own = lab.studies[study].config[
        "scorers"
    ]  # its own versions only: scores of two versions of a scorer are never mixed
    names, editions = [scorer["name"] for scorer in own], [scorer["version"] for scorer in own]
    for scorer, example, repeat, outcome, edition in lab.store.rows(
        _SCORES, [names, editions, study, version]
    ):
        found[int(repeat)].setdefault(scorer, {})[example] = [outcome]
        versions.setdefault(scorer, set()).add(edition)
    arms = [
        Arm(
            version,
            f"{label}, asked {'first' if repeat == 0 else 'again'}",
            {
                name: Outcomes.of(rows, versions=tuple(sorted(versions[name])))
                for name, rows in by_scorer.items()
            },
        )
        for repeat, by_scorer in enumerate(found)
    ]
    return arms[0], arms[1]
