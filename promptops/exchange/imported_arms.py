"""Imported runs as arms of a comparison: each label's scores, by example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..analysis.arms import Arm, Outcomes
from ..dataset.example import Example
from ..scorers import equals, try_out
from .imported import Imported, ImportedRun

__all__ = ["arms_of", "with_scores"]


def arms_of(found: Imported, scorers: Sequence[str] = ()) -> dict[str, Arm]:
    """label -> its arm. scorers: these only, in this order; none: all, in order of appearance."""
    names = tuple(scorers) or found.scores
    out = {}
    for label in found.labels:
        runs = [run for run in found.runs if run.version == label]
        scores = {}
        for name in names:
            rows: dict[str, list[float | None]] = {}
            for run in sorted(runs, key=lambda run: run.repeat):
                if name in run.scores:
                    rows.setdefault(run.example, []).append(run.scores[name])
            if any(value is not None for values in rows.values() for value in values):
                scores[name] = Outcomes.of(rows, kind="user")
        out[label] = Arm(label, label, scores)
    return out


def with_scores(found: Imported) -> tuple[Imported, str]:
    """The same runs, scored by `equals` where the file has no scores but golden answers; and a
    sentence that says so, "" if nothing was done.
    """
    examples = {example.id: example for example in found.examples}
    lacking = not found.scores and any(
        example.expected is not None for example in examples.values()
    )
    if not lacking:
        return found, ""
    runs = tuple(replace(run, scores=_equal(run, examples[run.example])) for run in found.runs)
    what = f"{found.name}: {found.form} has no scores: its answers were scored by equals()."
    return replace(found, runs=runs), what


def _equal(run: ImportedRun, example: Example) -> dict[str, float | None]:
    if run.output is None or example.expected is None:
        return {"equals": None}
    golden = example.expected if isinstance(example.expected, list) else [example.expected]
    hits = []
    for one in golden:
        judged = try_out(equals(), run.output, expected=one)
        hits += [] if isinstance(judged, list) or judged.value is None else [judged.value]
    return {"equals": max(hits, default=None)}
