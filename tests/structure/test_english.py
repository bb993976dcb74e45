"""The package speaks English as the field writes it, without the habits that readers stumble on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from promptops.store.schema import TABLES
from tests.structure import prose

# Names that several tables have, each with one meaning in all of them -> those tables. A table that
# takes such a name for its column means the same by it, and is added here.
SHARED = {
    "arm": "study_runs live live_hours",
    "at": "feedback live_losses",
    "author": "studies optimizations",
    "cell_hash": "runs studies",
    "cost_usd": "runs attempts",
    "created_at": "studies versions datasets plans verdicts optimizations",
    "dataset_fingerprint": "datasets examples",
    "design": "studies optimizations",
    "detail": "attempts study_events batch_events candidate_events",
    "document": "versions examples plans verdicts",
    "endpoint": "runs batches live",
    "env": "verdicts live live_hours",
    "event_at": "study_events batch_events candidate_events",
    "example_fingerprint": "runs scores study_runs examples",
    "example_id": "runs study_runs examples labels",
    "failure": "runs attempts live",
    "failure_detail": "runs live",
    "finish_reason": "runs live",
    "first_token_ms": "runs live",
    "git_commit": "runs studies",
    "how": "candidates proposals",
    "id": (
        "runs studies batches versions labels plans verdicts optimizations live feedback"
        " live_losses live_hours purged_calls"
    ),
    "kind": "labels feedback",
    "label": "labels feedback",
    "latency_ms": "runs attempts live",
    "model": "runs batches live live_hours",
    "model_returned": "runs live",
    "name": "studies datasets",
    "note": "versions labels feedback",
    "number": "attempts candidates candidate_events proposals",
    "optimization_id": "candidates candidate_events proposals",
    "output": "runs live",
    "parents": "versions candidates proposals",
    "prompt": "runs studies versions plans verdicts optimizations live live_hours",
    "reason": "scores live_losses",
    "repeat": "runs study_runs",
    "run_id": "attempts scores study_runs labels proposals",
    "source": "datasets live_sources",
    "started_at": "runs attempts live",
    "study_id": "study_runs study_events batches verdicts",
    "system_fingerprint": "runs live",
    "tokens_cached": "runs live live_hours",
    "tokens_in": "runs attempts live live_hours",
    "tokens_out": "runs attempts live live_hours",
    "tool_calls": "runs live",
    "value": "scores labels feedback",
    "version": "live live_hours",
    "version_id": "runs study_runs candidates candidate_events proposals live live_hours",
}


@pytest.fixture(scope="module")
def found() -> list[tuple[prose.Place, str, str]]:
    """(place, habit, words) of everything that the package says."""
    return [
        (place, habit, words)
        for path in prose.files()
        for place in prose.texts(path)
        for habit, words in prose.habits(place)
    ]


def test_nothing_that_the_package_says_has_one_of_the_habits(
    found: list[tuple[prose.Place, str, str]],
) -> None:
    """Errors, help, docstrings, comments, README, guide and notebooks."""
    shown = [f"{place.path.name}:{place.line}: {words}" for place, _, words in found]
    assert shown == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One row a study.", 1),
        ("One row per study; name a scorer.", 0),
        ("X is no scorer.", 1),
        ("There is no scorer, and X is no longer one.", 0),
        ("It is said at reading, and stands beside it.", 2),
        ("A scripted stand-in.", 0),
        ("Plan anew, for ever.", 2),
        ("None where there is none. Raises KeyError where it fails.", 2),
        ("One share for all, or one an example; read once a row, or say id=False.", 3),
        ("One per example, once per row, or pass id=False.", 0),
        ("None if there is none; the folder where it is.", 0),
    ],
)
def test_the_measure_sees_the_habits_and_nothing_else(text: str, count: int) -> None:
    """Each habit in a sentence, and sentences that only look like it."""
    place = prose.Place(Path("x.py"), 1, "docstring", text)
    assert len(list(prose.habits(place))) == count


def test_a_column_name_means_one_thing() -> None:
    """A name that several tables have is of one kind, and of one listed meaning in these tables."""
    kinds: dict[str, set[str]] = {}
    tables: dict[str, list[str]] = {}
    for table in TABLES.values():
        for column in table.columns:
            kinds.setdefault(column.name, set()).add(column.kind)
            tables.setdefault(column.name, []).append(table.name)
    assert {name for name, several in kinds.items() if len(several) > 1} == set()
    shared = {name: " ".join(several) for name, several in tables.items() if len(several) > 1}
    assert shared == SHARED


def test_a_class_name_means_one_thing() -> None:
    """No two classes of the package have one name, private ones included."""
    names = Counter(name for path in prose.modules() for name in prose.classes(path))
    assert len(names) > 500
    assert {name for name, count in names.items() if count > 1} == set()
