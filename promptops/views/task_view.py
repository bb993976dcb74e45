"""Two versions over several tasks: a row per task, then what the tasks say together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PromptOpsError
from ..markup import esc
from .part_table import part_table
from .theme import page

if TYPE_CHECKING:
    from ..analysis.tasks import TaskGains
    from ..lab.comparison import Comparison

__all__ = ["body", "html", "of_comparison"]


def html(face: TaskGains) -> str:
    """The cell's view of the tasks."""
    return page(body(face))


def of_comparison(comparison: Comparison) -> str:
    """The tasks of a comparison whose policy judges over tasks; "" for any other."""
    if comparison.policy.estimand != "tasks":
        return ""
    try:
        return f"<h3>Task by task</h3>{body(comparison.tasks())}"
    except PromptOpsError:  # no tasks, which the verdict says
        return ""


def body(face: TaskGains) -> str:
    """The table, then a sentence each. Safe markup."""
    listed = "".join(f"<li>{esc(note)}</li>" for note in face.notes)
    table = part_table("task", face.rows, face.candidate, face.baseline, caption=face.statement())
    return f"{table}<ul>{listed}</ul>"
