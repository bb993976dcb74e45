"""Two prompts on several models: the sentence on the interaction, and a row per model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PromptOpsError
from ..markup import esc
from ..study.prompts_by_model import grid_of, has_grid
from .part_table import part_table
from .theme import page

if TYPE_CHECKING:
    from ..analysis.interaction import ModelGains
    from ..lab.study import Study

__all__ = ["body", "html", "of_study"]


def html(face: ModelGains) -> str:
    """The cell's view of a grid."""
    return page(body(face))


def of_study(study: Study) -> str:
    """The grid of a study's last prompt; "" if the study is of one model or one prompt."""
    try:
        if not has_grid(study.recorded):
            return ""
        return f"<h3>Model by model</h3>{body(grid_of(study.recorded, None, None, None))}"
    except PromptOpsError:  # an arm without a score: the comparison above says so
        return ""


def body(face: ModelGains) -> str:
    """The sentence, then the table. Safe markup."""
    said = face.statement()
    return f"<p>{esc(said)}</p>" + part_table(
        "model", face.cells, face.candidate, face.baseline, caption=said
    )
