"""Verbs of a lab over several studies: compare, leaderboard.

Each is a method of `Lab`, written beside what it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..signatures import explained

if TYPE_CHECKING:
    from ..study.project import OfProject
    from .comparison import Comparison
    from .leaderboard import Leaderboard

__all__ = ["compare", "leaderboard"]


@explained
def compare(
    self: OfProject, *, candidate: object, baseline: object = None, primary: str | None = None
) -> Comparison:
    """Compare two versions on the examples that both answered, over the latest studies of each.

    Args:
        candidate: the version that may replace the baseline.
        baseline: the version to compare with; None: the one that the prompt serves in prod.
        primary: the scorer that decides; None: the policy's, else the first.

    Raises:
        StudyError: if a version was never evaluated, nothing serves in prod, or both are the same.
    """
    from ..study.comparing import compare_across
    from .comparison import Comparison

    found = compare_across(self.project, candidate, baseline, primary)
    return Comparison.shown(found, self.project)


@explained
def leaderboard(
    self: OfProject, versions: Sequence[object], *, primary: str | None = None
) -> Leaderboard:
    """Rank versions over the latest studies of each, best first, with intervals and
    Holm-corrected pairwise verdicts.

    Args:
        versions: saved versions, each evaluated at least once.
        primary: the scorer to rank by; None: the policy's, else the first.

    Raises:
        StudyError: if a version was never evaluated.
    """
    from ..study.comparing import leaderboard_across
    from .leaderboard import Leaderboard

    return Leaderboard.shown(leaderboard_across(self.project, versions, primary))
