"""The A/A noise floor: a version asked twice and compared with itself. What differs is noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis.arms import Arm, Outcomes, why_unscored
from ..analysis.compare import ComparisonContext, compare
from ..errors import StudyError
from .compared import Compared
from .copies import copies_of, golden_reads, reads_of
from .queries.outcomes import first_two_answers
from .queries.studies import newest_repeated
from .recorded_study import RecordedStudy, find_study
from .records import load_version

if TYPE_CHECKING:
    from .project import Project
    from .study_record import ScorerRef

__all__ = ["against_itself", "measured"]


def measured(
    project: Project, version: str, scorers: Sequence[ScorerRef]
) -> tuple[float, float | None, float | None] | None:
    """(mean difference, 90 % interval) of the newest study that asked a version twice.

    Args:
        project: whose store is looked at.
        version: id of the version.
        scorers: of the study at hand; the first is the one that counts.

    Returns:
        None where it was not measured.
    """
    if not scorers:
        return None
    name = scorers[0].name
    study = newest_repeated(project.store, version, name)
    if study is None:
        return None
    arms = _two(find_study(project, study), version, version)
    if any(name not in arm.scores for arm in arms):
        return None
    figures = compare(arms[1], arms[0], primary=name).primary
    return figures.gain, figures.low, figures.high


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
