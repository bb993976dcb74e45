"""The A/A noise floor: a version asked twice and compared with itself. What differs is noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..analysis.answer_noise import NoiseFloor, noise_floor
from ..analysis.arms import Arm, Outcomes, why_unscored
from ..analysis.compare import ComparisonContext, compare
from ..analysis.pooled_copies import collapse
from ..errors import StudyError
from .compared import Compared
from .copies import copies_of, golden_reads, reads_of
from .queries.outcomes import first_two_answers, repeated_outcomes
from .recorded_study import RecordedStudy
from .records import load_version

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["against_itself", "measured"]


def measured(
    store: Store, arms: tuple[Arm, Arm], dataset: str, scorer: str, copies: Mapping[str, str]
) -> NoiseFloor | None:
    """How far the baseline asked again on a study's dataset may differ from itself, from all of its
    answers there, in whichever study: (0, 90 % interval) for the repeats that are compared.

    Args:
        store: where the answers are.
        arms: candidate and baseline as they were read.
        dataset: fingerprint of the study's dataset.
        scorer: the one that decides.
        copies: id of a copy -> id of the example that it repeats.

    Returns:
        None if too few examples were answered twice on this dataset.
    """
    import numpy as np

    if any(scorer not in arm.scores for arm in arms):
        return None
    version = arms[1].scores[scorer].versions[0]
    rows = repeated_outcomes(store, arms[1].version, (scorer, version), dataset)
    if not any(count > 1 for _, _, count, _ in rows):
        return None
    examples, means, counts, variances = zip(*rows, strict=True)
    scored = np.array(counts, float)
    known = [np.nan if value is None else value for value in variances]
    every = Outcomes(examples, np.array(means, float), scored, scored, np.array(known, float))
    asked = Arm(arms[1].version, arms[1].label, {scorer: every})
    candidate, baseline, own = (collapse(arm, copies).scores[scorer] for arm in (*arms, asked))
    return noise_floor(own, candidate, baseline)


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
