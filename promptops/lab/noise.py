"""The A/A noise floor of a saved version: asked twice on every example, compared with itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..study import evaluate
from ..study.noise_floor import against_itself
from .comparison import Comparison

if TYPE_CHECKING:
    from .prompt import SavedVersion

__all__ = ["noise_of"]


def noise_of(
    version: SavedVersion, dataset: object, scorers: Sequence[object], name: str | None
) -> Comparison:
    """Compare the second answers of a version with its first ones; recorded answers are reused."""
    name = name or f"{version.prompt}-{version.label}-noise"
    options = evaluate.EvaluateOptions(name=name, repeats=2)
    drawn = evaluate.draw(version.project, [version], dataset, scorers, options)
    study = evaluate.start(version.project, drawn, options)
    study.wait()
    return Comparison.shown(against_itself(study, version.id, version.label), version.project)
