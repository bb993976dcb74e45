"""What a verdict rests on beside the measures, as figures of a bundle: the limits that were in
force, what was tried before, and the table of golden labels and answers. They are computed again
from the bundle's lists, so that a change in these shows even if no check turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from .arms import Arm
from .classes import classes_of
from .comparison_context import ComparisonContext
from .facts import rounded
from .verdict import Verdict

__all__ = ["FORM", "class_figures", "limit_figures"]

FORM = 2  # of a bundle's figures: these are among them


def limit_figures(verdict: Verdict, grounds: ComparisonContext) -> dict[str, object]:
    """The limits in force, and how often the candidate and others were judged before."""
    tried = grounds.tried
    return {
        "in force": {
            "alpha": verdict.policy.alpha,
            "share of alpha": rounded(verdict.rule.share),
            "e needed": rounded(verdict.rule.needs_e),
            "looked at after every batch": grounds.looked,
            "judged": tried.times,
            "candidates before": tried.before,
            "judgements": [
                {"study": one.study, "order": one.order, "n": one.n, "runs": one.digest}
                for one in tried.judgements
            ],
        }
    }


def class_figures(arms: Sequence[Arm], name: str, grounds: ComparisonContext) -> dict[str, object]:
    """Golden label -> answer -> examples of each arm, with the best constant answer; {} if the
    scorer matches no golden label of few.

    Args:
        arms: the candidate, and the baseline if there is one.
        name: the primary, or the scorer that its class measure is made of.
        grounds: with the golden labels.
    """
    found = classes_of(arms, name, grounds.labels) if name in arms[0].scores else None
    if found is None:
        return {}
    tables = {
        key: {row: dict(answers) for row, answers in found.confusion[arm.label].items()}
        for key, arm in zip(("candidate", "baseline"), arms, strict=False)
    }
    return {
        "by class": {
            **tables,
            "constant": found.constant,
            "constant score": rounded(found.constant_score),
        }
    }
