"""Labels that people gave elsewhere, read from a file or a frame."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..canonical import tagged
from ..errors import StudyError
from ..run import utc
from ..study.queries.label_answers import answers_shown, known_labels

if TYPE_CHECKING:
    from ..store import Store
    from ..study.recorded_study import RecordedStudy

__all__ = ["ANSWERS", "Label", "holds_labels", "import_labels", "label_row"]


# kind -> what may be answered, and its value: of the candidate in a pair, of the one output under a
# rubric
ANSWERS: Mapping[str, Mapping[str, float]] = {
    "pairwise": {"first": 1.0, "tie": 0.5, "second": 0.0},
    "rubric": {"pass": 1.0, "partly": 0.5, "fail": 0.0},
}


_FORM = "l1"  # of a label in a file


def import_labels(store: Store, path: str | Path, study: RecordedStudy | None = None) -> int:
    """Take in the labels that reviewers downloaded from reports (JSON lines); returns how many were
    new. study: the one they must be of.

    Raises StudyError, and takes in nothing, for a line that is not a label, or is of another study
    or of one that the store does not hold.
    """
    rows = list(_read(store, Path(path), study))
    known = known_labels(store, [row["id"] for row in rows])
    fresh = {row["id"]: row for row in rows if row["id"] not in known}
    store.append("labels", list(fresh.values()))
    return len(fresh)


def holds_labels(path: Path) -> bool:
    """Whether a file begins as one that a report downloads."""
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(next((line for line in file if line.strip()), ""))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(head, dict) and head.get("form") == _FORM


def _read(store: Store, path: Path, study: RecordedStudy | None) -> Iterator[dict[str, Any]]:
    answers: dict[str, Mapping[tuple[str, str], str]] = {}  # study -> its runs
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        given = _FileLabel.of(line, where)
        of, example = given.study, given.example
        if given.form != _FORM or (study is not None and of != study.id):
            raise StudyError(
                f"{where} is a label of another study ({str(of)[:20]}); lab.store.import_(path)"
                " takes labels of any."
            )
        if str(of) not in answers:
            answers[str(of)] = _answers(store, str(of), where)
        runs = answers[str(of)]
        first, second = (given.first, example), (given.second, example)
        if first not in runs or second not in runs or given.label not in ANSWERS["pairwise"]:
            raise StudyError(
                f"{where} labels {example!r} as {given.label!r}, which is not in"
                f" {study.name if study else of}; label in a report of this study, or import the"
                " file as it was."
            )
        kind = f"pairwise:{runs[second]}"
        label = Label(runs[first], example, given.rater, kind, given.label, given.note)
        yield label_row(given.id, label, _moment(given.labelled_at))


class _FileLabel(NamedTuple):
    """One line of a file of labels; first, second: the versions of the two answers."""

    form: object
    study: object
    example: str
    first: str
    second: str
    label: str
    rater: str
    note: str
    labelled_at: object

    @classmethod
    def of(cls, line: str, where: str) -> _FileLabel:
        """Raises StudyError for a line that is not a label."""
        try:
            given = json.loads(line)
            return cls(
                given["form"],
                given["study"],
                str(given["example_id"]),
                str(given["first"]),
                str(given["second"]),
                str(given["label"]),
                str(given["rater"]),
                str(given.get("note") or ""),
                given.get("labelled_at"),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise StudyError(
                f"{where} is not a label ({error}); expected a line of the file that a report"
                " downloads."
            ) from None

    @property
    def id(self) -> str:
        """Of the label's row: the same line is the same label."""
        content = [self.study, self.example, self.first, self.second, self.label, self.rater]
        return "l-" + tagged("l1", [*content, str(self.labelled_at)])[3:]


def _answers(store: Store, study: str, where: str) -> Mapping[tuple[str, str], str]:
    """(version, example) -> the run that a report of the study shows.

    Raises StudyError for a study that is not here.
    """
    found = answers_shown(store, study)
    if not found:
        raise StudyError(
            f"{where} is a label of the study {study[:20]}, which this store does not hold; import"
            " that study's export first."
        )
    return found


class Label(NamedTuple):
    """What somebody says of a run. kind: which answers are allowed, "pairwise:RUN" against another
    run.
    """

    run: str
    example: str
    rater: str
    kind: str
    label: str
    note: str = ""


def label_row(id: str, given: Label, at: str) -> dict[str, object]:
    """A row of the table `labels`."""
    return {
        "id": id,
        "run_id": given.run,
        "example_id": given.example,
        "rater": given.rater,
        "kind": given.kind,
        "value": ANSWERS[given.kind.partition(":")[0]][given.label],
        "label": given.label,
        "note": given.note,
        "labelled_at": at,
    }


def _moment(given: object) -> str:
    """A time as the store keeps it; now, where the file has none that reads."""
    from datetime import datetime

    try:
        return (
            datetime.fromisoformat(str(given))
            .replace(tzinfo=None)
            .isoformat(timespec="microseconds")
        )
    except ValueError:
        return utc()
