"""`study.review`: looking at answers one by one, and what people leave behind: labels, pins and
corrected golden answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..markup import count, plain_repr
from ..signatures import explained_methods
from . import show

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..dataset.correcting import Correction
    from ..policy import Policy
    from ..review.labelling import Labelling, RaterAgreement
    from ..study.examples import Filter
    from ..study.recorded_study import RecordedStudy
    from .study_examples import Examples

__all__ = ["StudyReview"]


@explained_methods
class StudyReview:
    """The tools of a reviewer for one study."""

    def __init__(self, recorded: RecordedStudy) -> None:
        self.recorded = recorded

    def examples(self, *, candidate: object = None, baseline: object = None) -> Examples:
        """Two arms side by side, example by example: `.page(Filter("lost"))`, `.detail(id)`.

        Only the requested examples are read.

        Args:
            candidate, baseline: versions or labels, chosen as in `study.compare`.
        """
        from .study_examples import Examples

        return Examples(self.recorded, candidate, baseline)

    def label(
        self, *, rater: str, kind: str = "pairwise", wanted: Filter | None = None
    ) -> Labelling:
        """A rater's blind, shuffled queue: `.task`, then `.answer(...)`.

        Args:
            rater: the person who labels.
            kind: "pairwise" (candidate next to baseline), "rubric", "pass" or "score" (each answer
                alone).
            wanted: the examples; None: the changed ones for "pairwise", else all.

        Raises:
            StudyError: if no rater is given, the kind is unknown, or a pair needs a second arm.
        """
        from ..review.labelling import Labelling

        return Labelling(self.recorded, rater, kind, wanted=wanted)

    def labels(self) -> DataFrame:
        """One row per label that people gave to this study's answers: example_id, rater, kind,
        label, value, note, run_id, labelled_at, id.
        """
        from ..review.labelling import labels_of

        return labels_of(self.recorded)

    def agreement(self, kind: str = "pairwise") -> RaterAgreement:
        """The agreement of the raters on the items that two or more of them labelled."""
        from ..review.labelling import agreement

        return agreement(self.recorded, kind)

    def import_labels(self, path: str | Path) -> int:
        """Import the labels that a reviewer downloaded from this study's report.

        `lab.store.import_(path)` imports those of any study.

        Returns:
            The number of new labels.

        Raises:
            StudyError: if a line is not a label of this study; nothing is then imported.
        """
        from ..review.label_files import import_labels

        return import_labels(self.recorded.project.store, path, self.recorded)

    def pin(self, example_id: str) -> Policy:
        """Add an example to the must-pass ones of the prompt's policy: no candidate may fail it if
        the baseline passes it. Returns the new policy.
        """
        from ..review.must_pass import pin

        return pin(self.recorded, example_id)

    def unpin(self, example_id: str) -> Policy:
        """Remove an example from the must-pass ones; returns the new policy."""
        from ..review.must_pass import unpin

        return unpin(self.recorded, example_id)

    def correct(
        self,
        example_id: str,
        expected: object,
        path: str | Path | None = None,
        *,
        write: bool = True,
    ) -> Correction:
        """Write a golden answer into the file that the dataset was read from, changing no other
        byte; if that is impossible, into NAME.corrections.jsonl in the same folder.

        Args:
            example_id: the example's id.
            expected: its golden answer.
            path: the file, if it is not the one that was read.
            write: False only returns what would change.

        Returns:
            The lines that change.

        Raises:
            DatasetError: if the row has changed since, or the file is outside the project.
        """
        from ..review.review import correct

        return correct(self.recorded, example_id, expected, path, write=write)

    def dataset_file(self) -> Path | None:
        """The file that the dataset was read from; None if it was not a file of the project."""
        from ..review.review import dataset_file

        return dataset_file(self.recorded)

    @plain_repr
    def __repr__(self) -> str:
        return (
            f"<review of {self.recorded.name}: {count(len(self.labels()), 'label')};"
            " .examples(), .label(rater=...), .pin(id), .correct(id, expected)>"
        )

    def _repr_html_(self) -> str:
        return show.html(self)
