"""The package speaks English as the field writes it, without the habits that readers stumble on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from promptops.store.schema import TABLES
from tests.structure import prose

# Names that several tables have, each with one meaning in all of them.
SHARED = {
    *("author", "cell_hash", "cost_usd", "created_at", "dataset_fingerprint", "design"),
    *("detail", "document", "event_at", "example_fingerprint", "example_id", "failure"),
    *("git_commit", "how", "id", "latency_ms", "name", "note"),
    *("number", "optimization_id", "parents", "prompt", "repeat", "run_id"),
    *("started_at", "status", "study_id", "tokens_in", "tokens_out", "value"),
    *("first_token_ms", "source", "kind", "label"),
    *("version_id", "env", "arm", "finish_reason", "model", "model_returned", "output", "reason"),
    *("system_fingerprint", "tokens_cached", "tool_calls", "endpoint", "failure_detail", "at"),
}
# Of two kinds still: HTTP status of an attempt, and the state of an optimisation.
MIXED = {"status"}


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
        ("None if there is none; the folder where it is.", 0),
    ],
)
def test_the_measure_sees_the_habits_and_nothing_else(text: str, count: int) -> None:
    """Each habit in a sentence, and sentences that only look like it."""
    place = prose.Place(Path("x.py"), 1, "docstring", text)
    assert len(list(prose.habits(place))) == count


def test_a_column_name_means_one_thing() -> None:
    """A name that several tables have is of one kind and one of the listed shared meanings."""
    kinds: dict[str, set[str]] = {}
    tables: dict[str, set[str]] = {}
    for table in TABLES.values():
        for column in table.columns:
            kinds.setdefault(column.name, set()).add(column.kind)
            tables.setdefault(column.name, set()).add(table.name)
    assert {name for name, several in kinds.items() if len(several) > 1} <= MIXED
    assert {name for name, several in tables.items() if len(several) > 1} - SHARED == set()


def test_a_class_name_means_one_thing() -> None:
    """No two classes of the package have one name, private ones included."""
    names = Counter(name for path in prose.modules() for name in prose.classes(path))
    assert len(names) > 500
    assert {name for name, count in names.items() if count > 1} == set()
