"""People's labels of the same answers, beside a judge's: the judge's difference, corrected by
theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.correction import Corrected, ppi
from ..errors import StatisticsError, StudyError
from ..study.queries.label_answers import people_means

if TYPE_CHECKING:
    from ..analysis.compare import ComparisonFacts
    from ..store import Store

__all__ = ["corrected", "human_means"]


def human_means(
    comparison: ComparisonFacts, store: Store | None
) -> tuple[dict[str, float], dict[str, float]]:
    """What people gave each answer, 0 to 1.

    Args:
        comparison: of two arms of one study.
        store: where the labels are; None for a table that belongs to no project.

    Returns:
        (candidate, baseline), each example -> mean over raters and repeats.

    Raises:
        StudyError: there is no store, or the comparison is not of a study.
    """
    if store is None or not comparison.grounds.study:
        raise StudyError(
            "labels belong to the answers of a study; keep the table in a lab first: "
            "comparison.keep(lab)."
        )
    arms = (comparison.candidate.version, comparison.baseline.version)
    found = people_means(store, comparison.grounds.study, arms)
    return found.get(arms[0], {}), found.get(arms[1], {})


def corrected(
    comparison: ComparisonFacts, store: Store | None, name: str, level: float
) -> Corrected:
    """A judge's difference corrected by people's labels; see `lab.Comparison.corrected`."""
    b, a = human_means(comparison, store)
    pairs = comparison.pairs(name)
    both = [index for index, example in enumerate(pairs.examples) if example in b and example in a]
    if len(both) < 2:
        raise StatisticsError(
            f"people have labelled both answers of {len(both)} of {pairs.n:,} examples; at least 2"
            ' are needed, some 30 to say much: study.review.label(rater="your name",'
            ' kind="rubric").'
        )
    chosen = set(both)
    rest = [index for index in range(pairs.n) if index not in chosen]
    human = [b[pairs.examples[index]] - a[pairs.examples[index]] for index in both]
    return ppi(human, pairs.d[both], pairs.d[rest], level=level)
