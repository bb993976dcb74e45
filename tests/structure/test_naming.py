"""The decided names, row by row: what was renamed is gone under its old name and is there under the
new one; what users read has the decided words.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from promptops.cli.__main__ import COMMANDS, SUMMARIES
from promptops.dataset.dataset import Dataset
from promptops.lab import Lab
from promptops.lab.compare_table import TableComparison
from promptops.policy import Policy
from promptops.store.schema import TABLES
from tests.structure import prose

PACKAGE = Path(__file__).parents[2] / "promptops"
# old path -> where it is now: the decided name, or one that says still more
MODULES = {
    "lab/again": "study/retry_scorers",
    "lab/asking": "study/ask",
    "lab/ending": "study/running",
    "lab/home": "study/project",
    "lab/keeping": "study/records",
    "lab/marking": "study/score_study",
    "lab/served": "study/split_wear",
    "lab/settling": "study/early_stopping",
    "lab/people": "review/label_correction",
    "lab/losses": "study/live_losses",
    "lab/planting": "study/injections",
    "lab/overtime": "study/over_time",
    "lab/answerers": "study/resolve_model",
    "engine/filing": "engine/run_rows",
    "engine/form": "engine/response_format",
    "engine/stop": "engine/stop_signal",
    "store/mending": "store/repair",
    "store/moving": "store/export",
    "store/known": "store/write_cache",
    "views/shown": "views/display",
    "cli/written": "cli/atomic_write",
    "cli/declared": "scorers/grammar",
    "cli/publish": "cli/sync_export",
    "models/wire": "models/fast_transport",
    "version/wire": "version/responses_api",
}
# class -> its new name; `Asked` is what some requests are called still, never a pending call
CLASSES = {
    "Desk": "Asker",
    "Filing": "RowBuilder",
    "Marking": "StudyScoring",
    "Settling": "EarlyStop",
    "Grounds": "ComparisonContext",
    "Among": "RaterAgreement",
    "Work": "StudyRun",
}
COLUMNS = {
    "runs": ({"fingerprint", "cell"}, {"system_fingerprint", "cell_hash"}),
    "datasets": ({"fingerprint", "n"}, {"dataset_fingerprint", "n_examples"}),
    "examples": ({"fingerprint"}, {"example_fingerprint"}),
    "study_events": ({"at"}, {"event_at"}),
    "studies": ({"config"}, {"design"}),
}
# words that nothing says any longer -> what is said instead, somewhere
PHRASES = {
    "by luck alone": "by chance)",
    "is right on as many of": "equally many",
    "finds 4 in 5": "detectable (80 % power)",
    "better : worse": "improved : regressed",
    "is not built yet": "is a scorer factory: call it",
    "a canary of 0 %": "is not a valid canary share; use 0.01 to 99.99",
    "repeats are the study's": "is not allowed: use repeats= when evaluating",
    "is no regular expression": "invalid regular expression",
    "Past the gate; needs": "Bypass the gate (requires --reason; recorded permanently).",
    "Who acts;": "Author to record [default: $PROMPTOPS_USER, git user.name, login].",
    "upwards from here, without it": (
        "Registry file [default: $PROMPTOPS_REGISTRY, or promptops.json in this or a parent"
        " folder]."
    ),
    "Mend what can be mended": (
        "Repair: re-merge, rebuild from the archive, quarantine a damaged WAL."
    ),
    "the split is worn": "the split is overused",
    "few data never pass": "Too little data never passes",
    "down the whole road": "records it as a study",
    "leaves with 130": "",
    "names what is near": "similar names are listed",
    "no evidence enough": "not enough evidence",
}


@cache
def written() -> str:
    """Everything that the package and its pages say, with single spaces."""
    texts = (place.text for path in prose.files() for place in prose.texts(path))
    return re.sub(r"\s+", " ", " ".join(texts))


@cache
def defined() -> frozenset[str]:
    """Every class of the package."""
    found = (re.findall(r"^class (\w+)", path.read_text("utf-8"), re.M) for path in python())
    return frozenset(name for names in found for name in names)


def python() -> list[Path]:
    """The modules of the package."""
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize(("old", "new"), MODULES.items())
def test_a_module_has_its_new_name(old: str, new: str) -> None:
    """And nothing is left under the old one."""
    assert not (PACKAGE / f"{old}.py").exists()
    assert (PACKAGE / f"{new}.py").exists()


def test_classes_have_their_new_names() -> None:
    """A pending call is a PendingCall; the engine has no Asked."""
    assert defined() & set(CLASSES) == set()
    assert {*CLASSES.values(), "PendingCall"} <= defined()
    assert not any(
        "class Asked" in path.read_text("utf-8") for path in (PACKAGE / "engine").glob("*.py")
    )


def test_notes_and_roles_have_one_name() -> None:
    """`.notes` is what a reader should know, everywhere."""
    assert not {"said", "taken"} & {*dir(Dataset), *dir(TableComparison)}
    assert {"notes", "roles"} <= set(dir(Dataset))
    assert "notes" in dir(TableComparison)


def test_keywords_have_their_new_names() -> None:
    """`override=` and `if_serving=` in Python, the same words as options; the policy's fields."""
    assert "override" in inspect.signature(Lab.promote).parameters
    assert "again" not in inspect.signature(Lab.promote).parameters
    deployments = (PACKAGE / "cli" / "deployments_command.py").read_text("utf-8")
    assert '"--if-serving"' in deployments
    assert '"--undo"' not in deployments
    fields = {field.name for field in dataclasses.fields(Policy)}
    assert {"allow_uncalibrated_judge", "stages", "ungated_environments"} <= fields
    assert not {"judge_alone", "path", "ungated"} & fields


@pytest.mark.parametrize("table", COLUMNS)
def test_columns_have_their_new_names(table: str) -> None:
    """A fingerprint says of what."""
    old, new = COLUMNS[table]
    names = {column.name for column in TABLES[table].columns}
    assert new <= names
    assert not old & names


def test_a_p_value_is_a_p_value() -> None:
    """No column or key of the package is called by_luck, no variable print_."""
    sources = " ".join(path.read_text("utf-8") for path in python())
    assert re.findall(r"\b(?:by_luck|print_)\b", sources) == []
    assert '"p_value"' in sources


def test_a_design_is_never_called_a_plan() -> None:
    """A plan is what was frozen beforehand."""
    found = [path.name for path in python() if "plan: StudyDesign" in path.read_text("utf-8")]
    assert found == []


@pytest.mark.parametrize(("old", "new"), PHRASES.items())
def test_what_is_said_has_the_decided_words(old: str, new: str) -> None:
    """In messages, help, docstrings, pages and notebooks."""
    assert (old in written(), new in written()) == (False, True)


def test_every_short_help_is_whole() -> None:
    """At most 45 characters, so that no line of the list is cut."""
    assert set(SUMMARIES) == set(COMMANDS)
    assert {name for name, text in SUMMARIES.items() if len(text) > 45} == set()
