"""The A/A noise floor: a version asked twice and compared with itself. What differs is noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.arms import Arm, Outcomes, why_unscored
from ..analysis.compare import ComparisonContext, compare
from ..analysis.facts import LEVEL
from ..analysis.intervals import quantile
from ..errors import StudyError
from .compared import Compared
from .copies import copies_of, golden_reads, reads_of
from .outcomes import arms_of
from .queries.outcomes import first_two_answers
from .queries.studies import newest_repeated
from .recorded_study import RecordedStudy
from .records import load_version

if TYPE_CHECKING:
    from .project import Project
    from .study_record import StudyRecord

__all__ = ["against_itself", "measured"]


def measured(
    project: Project, version: str, record: StudyRecord
) -> tuple[float, float, float] | None:
    """How far a version asked again on a study's dataset may differ from itself: (0, 90 %
    interval), for as many repeats as the study has.

    Args:
        project: whose store is looked at.
        version: id of the version.
        record: of the study at hand; its first scorer is the one that counts.

    Returns:
        None if the version was never asked twice on this dataset.
    """
    if not record.scorers:
        return None
    scorer = record.scorers[0]
    study = newest_repeated(project.store, version, scorer.name, record.dataset.fingerprint)
    if study is None:
        return None
    [arm] = arms_of(project.store, [(study, version, version)], [scorer])
    if scorer.name not in arm.scores:
        return None
    variance = arm.scores[scorer.name].variance
    known = variance[variance == variance]
    if not len(known):
        return None
    # Both arms hold the noise of one answer, divided by the repeats that are averaged.
    spread = float(2 * known.mean() / record.repeats / len(known)) ** 0.5
    half = quantile(LEVEL) * spread
    return 0.0, -half, half


def against_itself(study: RecordedStudy, version: str, label: str) -> Compared:
    """The second answers of a version compared with its first ones.

    Raises:
        StudyError: nothing was scored; the sentence gives the commonest reason.
    """
    first, second = _two(study, version, label)
    if not first.scores and not second.scores and (why := why_unscored(study.arms())):
        raise StudyError(why)
    data = study.dataset
    copies = copies_of(
        data, [reads_of(load_version(study.project.store, version))], golden_reads(())
    )
    grounds = ComparisonContext(
        prompt=study.prompt,
        study=study.id,
        dataset=data.name,
        fingerprint=data.fingerprint,
        planned=copies.distinct,
        clusters=copies.clusters,
        copies=copies.copies,
    )
    policy = study.project.registry.policy(study.prompt or None)
    return Compared(compare(second, first, grounds=grounds), policy)


def _two(study: RecordedStudy, version: str, label: str) -> tuple[Arm, Arm]:
    """The first and the second answers as arms; scores of two versions of a scorer never mix."""
    found: list[dict[str, dict[str, list[float | None]]]] = [{}, {}]
    versions: dict[str, set[str]] = {}
    own = [(scorer.name, scorer.version) for scorer in study.record.scorers]
    for scorer, example, repeat, outcome, scorer_version in first_two_answers(
        study.project.store, study.id, version, own
    ):
        found[int(repeat)].setdefault(scorer, {})[example] = [outcome]
        versions.setdefault(scorer, set()).add(scorer_version)
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
