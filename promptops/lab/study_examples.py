"""The examples of a study as a notebook shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..study import examples
from . import show

if TYPE_CHECKING:
    from ..study.recorded_study import RecordedStudy

__all__ = ["Examples"]


class Examples(examples.StudyExamples):
    """`study.examples.StudyExamples`, displayed in a notebook. of: the study of these examples."""

    def __init__(
        self, of: RecordedStudy, candidate: object = None, baseline: object = None
    ) -> None:
        super().__init__(of, candidate, baseline)
        self.of = of

    def _ipython_display_(self) -> None:
        show.display(self)
