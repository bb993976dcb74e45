"""Law: every release opens, verifies, serves and continues what release 0.1 wrote.

`golden/format1/` has its files and, in expected.json, what it read from them. No Python name is
compared: `golden/format1_reader.py` calls the product, and is the file to edit after a rename.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.store import Store
from tests.golden import format1_reader as reader

EXPECTED: dict[str, Any] = json.loads((reader.FORMAT1 / "expected.json").read_text("utf-8"))
ROWS = {table: found["rows"] for table, found in EXPECTED["tables"].items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project as 0.1 left it, to be read and written."""
    return reader.copied(tmp_path / "project")


def approx(value: Any) -> Any:
    """Equal but for the last digits, which other hardware may compute differently; None is None."""
    return value if value is None else pytest.approx(value, rel=1e-9)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# -- the registry and its evidence


def expected_answers() -> list[Any]:
    return [question["expected"] for question in EXPECTED["questions"]]


def test_every_prompt_and_environment_serves_as_it_did(folder: Path) -> None:
    """The same version, canary arm and messages for each key, in everything that serves."""
    known = [question.copy() for question in EXPECTED["questions"]]
    for question in known:
        del question["expected"]
    assert reader.questions(folder) == known
    assert reader.served(folder / reader.REGISTRY, EXPECTED["questions"]) == expected_answers()
    arms = {(a["arm"], a["number"]) for a in expected_answers() if a["arm"]}
    assert arms == {("canary", 3), ("stable", 2)}


def test_the_export_for_an_environment_serves_alike(folder: Path) -> None:
    """The small file of prod, with two deployments of each chain, gives what the registry gives."""
    asked = [question for question in EXPECTED["questions"] if question["env"] == "prod"]
    small = folder / "exports" / "promptops.prod.json"
    assert reader.served(small, asked) == [question["expected"] for question in asked]
    assert len(asked) == 4 * len(reader.KEYS)


def test_the_saved_copy_serves_where_the_file_is_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy in the cache of 0.1 is the last known good of a cold start today."""
    gone, cache = folder / "elsewhere" / reader.REGISTRY, folder / "cache"
    cache.mkdir(mode=0o700)
    copy = cache / f"{hashlib.sha256(os.fsencode(gone)).hexdigest()[:32]}.json"
    shutil.copyfile(folder / "exports" / "saved-copy.json", copy)
    copy.chmod(0o600)
    monkeypatch.setenv("PROMPTOPS_CACHE", str(cache))
    assert reader.source_without_a_file(gone) == ("last_known_good", 2)


def test_versions_chains_and_policies_read_as_they_did(folder: Path) -> None:
    """Every field of every version, deployment and policy."""
    assert reader.versions(folder) == EXPECTED["versions"]
    assert reader.chains(folder) == EXPECTED["chains"]
    assert reader.policies(folder) == EXPECTED["policies"]
    assert len(EXPECTED["policies"]["support-triage"]) == 14
    links = [link for chain in EXPECTED["chains"].values() for link in chain]
    assert {link[1] for link in links} == {"promote", "canary", "rollback"}
    assert any(link[8] and link[9] for link in links)  # forced, and what the gate said
    assert any(link[10] for link in links)  # promoted once more, with the reason


def test_every_figure_is_recomputed_from_the_evidence(folder: Path) -> None:
    """`promptops verify` finds each promoted number again, and the whole history is sound."""
    assert reader.verified(folder) == EXPECTED["verified"]
    figures = [each for found in EXPECTED["verified"].values() for each in found["figures"]]
    assert len(figures) > 1000
    assert all(same for _, _, same in figures)
    assert reader.sound(folder)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("promptops.json", "no time", "no Time"),
        ("promptops.json", "höflich", "hoflich"),
        ("promptops.json", '"percent": 12.5', '"percent": 13.5'),
        ("promptops.evidence", '"e00"', '"e0O"'),
    ],
)
def test_a_changed_character_is_noticed(folder: Path, file: str, old: str, new: str) -> None:
    """Digests count over the bytes as 0.1 wrote them: the tests above could fail."""
    path = folder / file
    if path.is_dir():
        path = next(each for each in sorted(path.iterdir()) if old in each.read_text("utf-8"))
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    assert not reader.sound(folder)


def test_the_registry_goes_on(folder: Path) -> None:
    """A version is saved, the canary finished: the past stays, evidence byte by byte."""
    evidence = bytes_of(folder / reader.EVIDENCE)
    assert reader.save(folder, "support-triage", "Of today: {{ticket}}") == 4
    assert reader.save(folder, "support-triage", "Ticket: {{ticket}}") == 1
    assert reader.finish_canary(folder, "support-triage", "prod") == 3
    for place, chain in EXPECTED["chains"].items():
        now = reader.chains(folder)[place]
        assert now[: len(chain)] == chain
        assert len(now) == len(chain) + (place == "support-triage prod")
    assert bytes_of(folder / reader.EVIDENCE) == evidence
    assert reader.sound(folder)


def test_an_application_s_statement_still_holds_a_promotion_back(folder: Path) -> None:
    """`promptops.consumers/` of 0.1: a version that needs more than it supplies is refused."""
    number = reader.save(folder, "support-triage", "{{ticket}} {{tone}}")
    said = reader.unmet_consumers(folder, "support-triage", number, "staging")
    assert "checkout – Kasse" in said
    assert "{{tone}}" in said


# -- the store


def test_the_store_opens_merges_and_is_clean(folder: Path) -> None:
    """Every table has its rows, every column its values; the rest is merged; nothing is wrong."""
    before = reader.merged_rows(folder)
    assert all(before[table] < ROWS[table] for table in ROWS), "each table has rows to merge"
    store = Store(folder / reader.STORE)
    assert store.merge() == sum(ROWS.values()) - sum(before.values())
    assert reader.tables(store, EXPECTED["columns"]) == EXPECTED["tables"]
    assert store.verify() == []
    assert not (folder / reader.STORE / "aside").exists()


def test_every_table_and_column_has_a_value(folder: Path) -> None:
    """The golden store covers all that 0.1 could write, so no renamed column is lost unseen."""
    names = EXPECTED["columns"]
    assert set(names) == set(EXPECTED["tables"])
    assert len(names) == 12
    store = Store(folder / reader.STORE)
    for table, (columns, _) in names.items():
        assert reader.full_rows(store, table, columns) > 0, table


def test_what_was_purged_stays_away(folder: Path) -> None:
    """purged.json: a hidden row is in its segment and is never read; its neighbour is read."""
    both = [f"r-{0:032x}", f"r-{1:032x}"]
    store = Store(folder / reader.STORE)
    shown = reader.runs_named(store, *both)
    assert [example for _, example in shown] == ["t3"]
    assert "t2" not in reader.examples_asked(store)
    written = "".join(p.read_text("utf-8") for p in (store.folder / "segments").iterdir())
    assert all(run in written for run in both)
    assert store.archive() == 4
    assert reader.runs_named(store, *both) == shown
    assert store.verify() == []


def test_archive_and_segments_rebuild_the_same_rows(folder: Path) -> None:
    """Without the DuckDB file, and once more from the archive alone: row by row what it was."""
    (folder / reader.STORE / "store.duckdb").unlink()
    store = Store(folder / reader.STORE)
    assert reader.tables(store, EXPECTED["columns"]) == EXPECTED["tables"]
    assert store.archive() == 4
    assert list((store.folder / "segments").iterdir()) == []
    (folder / reader.STORE / "store.duckdb").unlink()
    again = Store(folder / reader.STORE)
    assert reader.tables(again, EXPECTED["columns"]) == EXPECTED["tables"]
    assert again.verify() == []


def test_a_lost_value_is_noticed(folder: Path) -> None:
    """The proof of the digests: one changed cell, and the table is another."""
    store = Store(folder / reader.STORE)
    store.merge()
    reader.change_a_cell(folder)
    found = reader.tables(store, EXPECTED["columns"])
    assert {table for table in ROWS if found[table] != EXPECTED["tables"][table]} == {"plans"}
    assert store.verify() != []


def test_exports_are_taken_in(tmp_path: Path, folder: Path) -> None:
    """A store's export gives every row, a study's its own; a second import gives nothing new."""
    store = Store(tmp_path / "whole")
    export = folder / "exports" / "store.export"
    assert store.import_(export) == ROWS
    assert store.import_(export) == {}
    assert reader.tables(store, EXPECTED["columns"]) == EXPECTED["tables"]
    one = Store(tmp_path / "one")
    found = one.import_(folder / "exports" / "study.export")
    assert {table: found[table] for table in ("studies", "runs", "study_runs", "plans")} == {
        "studies": 1,
        "runs": 420,
        "study_runs": 420,
        "plans": 1,
    }
    assert store.import_(folder / "exports" / "study.export") == {}


# -- studies


def test_studies_reopen_with_the_same_figures(folder: Path) -> None:
    """Estimate, interval, p, e-value, n and decision of every recorded comparison."""
    lab = Lab(folder)
    found = [reader.figures(lab, *compared) for compared in reader.COMPARED]
    assert [each["study"] for each in found] == [each["study"] for each in EXPECTED["studies"]]
    for now, then in zip(found, EXPECTED["studies"], strict=True):
        assert now.keys() == then.keys()
        for name, value in then.items():
            assert now[name] == (value if isinstance(value, str) else approx(value)), (then, name)


def test_the_study_file_comes_to_the_same(folder: Path) -> None:
    """`promptops evaluate study.toml`: the recorded exit code and checks, without a call."""
    store = Store(folder / reader.STORE)
    asked = reader.run_count(store)
    found, recorded = reader.study_file(folder), EXPECTED["study_file"]
    checks = found.pop("tests")
    assert found == {name: value for name, value in recorded.items() if name != "tests"}
    assert checks >= recorded["tests"]  # a later release may look at more
    assert reader.run_count(store) == asked


def test_a_study_goes_on(folder: Path) -> None:
    """The same cells ask nothing; a new version asks its own only, and is promoted on them."""
    asked: list[str] = []
    lab = Lab(folder, models={"golden-model": reader.scripted(asked)})
    assert reader.same_study_again(lab) == EXPECTED["studies"][0]["study"]
    assert asked == []
    number, estimate, p = reader.next_version(lab, "You know it all: {{ticket}}")
    assert len(asked) == 2 * EXPECTED["studies"][0]["n"]
    right_before = EXPECTED["studies"][1]["candidate"]
    assert (number, estimate) == (4, pytest.approx(1 - right_before))
    assert 0 < p < 0.05
    lab.store.close()
    assert reader.sound(folder)
    # a row of the recorded store fills every column of `studies` and never was a study
    (synthetic,) = lab.store.verify()
    assert "(s1-every-) cannot be read" in synthetic


def test_recorded_answers_are_scored_again(folder: Path) -> None:
    """A scorer that the study never had gives, without a call, what the recorded texts say."""
    lab = Lab(folder)
    found = reader.scored_again(lab, "know")
    assert found == pytest.approx(reader.answers_with(lab, "know"))
    assert found[0] > found[1] > found[2] > 0


def test_labels_of_a_report_are_taken_in(folder: Path) -> None:
    """The file that a report of 0.1 downloads: three labels, and none the second time."""
    lab = Lab(folder)
    labels = folder / "exports" / "labels.jsonl"
    assert reader.take_labels(lab, labels) == 3
    assert reader.take_labels(lab, labels) == 0


# -- the files themselves


def test_the_generator_overwrites_nothing() -> None:
    """Golden files are made once."""
    words = [sys.executable, "-m", "tests.golden.make_format1", str(reader.FORMAT1)]
    root = Path(__file__).parents[1]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "never made again" in done.stderr


def test_the_golden_files_stay_small() -> None:
    """At most 3 MB in all."""
    assert sum(p.stat().st_size for p in reader.FORMAT1.rglob("*") if p.is_file()) <= 3_000_000
