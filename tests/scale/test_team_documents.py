"""Whatever is in the small documents of a team's folder, a store answers with every row that
does not wait for them, and one sentence names the file.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.errors import StoreError
from promptops.lab import Lab
from promptops.scale import team_documents
from promptops.scale.membership import Membership
from promptops.scale.shared_files import SharedFiles
from promptops.scale.team_layout import Contents, contents_of
from promptops.scale.team_status import team_status
from promptops.scale.team_store import TeamStore, join_team
from promptops.store import Store

PURGE = "18ec000000000000-0000000a"
ODD = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"7",
    b'"x"',
    b"\xff\xfe\x00",
    b"[" * 50_000,
    b"1" * 5_000,
    b'{"segments": [], "id": 1, "keep_days": "x", "holds": "x"}',
    b'{"segments": {"../../x": 5}, "keep_days": NaN, "holds": -1, "who": [1]}',
    b'{"segments": {"18ec000000000000-1-0000000a": 1e400}, "keep_days": 1e400}',
    b"[null, {}, 1]",
    b'{"id": "%s", "at": "", "examples": "ab", "runs": [], "study": null, "before": null}'
    % PURGE.encode(),
    b'{"id": "%s", "at": "", "examples": [], "runs": [], "study": null, "before": "soon"}'
    % PURGE.encode(),
    b'{"id": "%s", "at": "", "examples": [{}], "runs": [[]], "study": 1, "before": null}'
    % PURGE.encode(),
]


@pytest.fixture
def files(tmp_path: Path) -> SharedFiles:
    """A folder that nobody shares yet."""
    return SharedFiles(str(tmp_path / "shared"))


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("batches/m/b/manifest.json", lambda files: team_documents.marks_in(files, MANIFEST)),
        (f"tombstones/{PURGE}.json", lambda files: team_documents.tombstone_in(files, PURGE)),
        (f"tombstones/{PURGE}.swept", lambda files: team_documents.searched_in(files, PURGE)),
        ("share.json", team_documents.kept_days),
    ],
    ids=["manifest", "tombstone", "swept", "share"],
)
def test_an_odd_document_is_a_sentence_that_names_it(
    files: SharedFiles, name: str, read: Callable[[SharedFiles], object]
) -> None:
    refused = 0
    for body in ODD:
        files.write(name, body)
        try:
            found = read(files)
        except StoreError as error:
            assert name in str(error)
            refused += 1
        else:  # an empty list of what was searched, or no word of how long rows are kept
            assert not found
            assert b"keep_days" not in body
    assert refused >= (len(ODD) - 4 if name == "share.json" else len(ODD) - 1)


MANIFEST = "batches/m/b/manifest.json"


def test_a_note_that_is_odd_says_less(files: SharedFiles) -> None:
    for body in ODD:
        files.write("members/m.json", body)
        assert team_documents.note_of(files, "members/m.json") == {}
        (status,) = team_status(files).members
        assert (status.who, status.behind) == ("", 0)


def test_names_that_no_store_gives_are_left_out() -> None:
    names = {
        "tombstones/zzz.json",
        "tombstones/.json",
        "tombstones/..swept",
        "segments/m/..1.ab.jsonl",
        "segments/m/x.1.ab.jsonl",
        "segments/m/18ec000000000000-1-0000000a.1..jsonl",
        "batches/m/../manifest.json",
        "batches/m/C:/manifest.json",
        "share.json/x",
        "",
    }
    found = contents_of(dict.fromkeys(names, 1))
    assert found == Contents()


def _member(tmp_path: Path, name: str) -> tuple[Store, TeamStore]:
    store = Store(tmp_path / name)
    return store, join_team(store, str(tmp_path / "shared"), lambda: name)


def _label(run: str) -> dict[str, object]:
    return {
        "id": run,
        "run_id": run,
        "example_id": "e",
        "rater": "me",
        "kind": "pass",
        "value": 1.0,
        "label": None,
        "note": "",
        "labelled_at": "2026-01-01T00:00:00Z",
    }


def _seen(store: Store) -> tuple[list[str], str]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        store.look()
        rows = [run for (run,) in store.rows("SELECT run_id FROM labels ORDER BY 1")]
    return rows, " ".join(str(each.message) for each in said)


def test_one_odd_file_costs_nobody_the_others(tmp_path: Path) -> None:
    """Every kind of them at once, a pipe and links too: the rows are read, the others' are shared,
    and each is named.
    """
    a, shares = _member(tmp_path, "a")
    a.append("labels", [_label("r-a")])
    shares.sync()
    shared = tmp_path / "shared"
    batch = "batches/m/18ec000000000000-1-0000000a/manifest.json"
    odd = [batch, "share.json", "members/m.json", "tombstones/ffff000000000000-0000000a.swept"]
    for name in odd:
        path = shared / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"[1")
    (shared / "segments" / "link.jsonl").symlink_to("/etc/hostname")
    os.mkfifo(shared / "tombstones" / f"{PURGE}.json")
    b, joined = _member(tmp_path, "b")
    rows, said = _seen(b)
    assert rows == ["r-a"]
    assert batch in said
    b.append("labels", [_label("r-b")])
    b.share()
    assert _seen(a)[0] == ["r-a", "r-b"]
    with pytest.raises(StoreError, match=r"share\.json"):
        team_status(joined.files)


def test_a_purge_that_cannot_be_read_is_told_and_done_when_it_can(tmp_path: Path) -> None:
    """Nothing that it may name is brought meanwhile; what is here already stays readable."""
    a, shares = _member(tmp_path, "a")
    b, _ = _member(tmp_path, "b")
    a.append("labels", [_label("r-a")])
    shares.sync()
    assert _seen(b)[0] == ["r-a"]
    a.purge(examples=["e"])
    (stone,) = (tmp_path / "shared" / "tombstones").glob("*.json")
    whole = stone.read_bytes()
    stone.write_bytes(whole[:-9])
    b, _ = _member(tmp_path, "b")
    rows, said = _seen(b)
    assert (rows, stone.name in said) == (["r-a"], True)
    stone.write_bytes(whole)
    assert _seen(_member(tmp_path, "b")[0])[0] == []


def test_a_link_does_not_lead_what_is_shared_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "shared" / "segments").symlink_to(tmp_path / "elsewhere")
    a, shares = _member(tmp_path, "a")
    a.append("labels", [_label("r-a")])
    with pytest.raises(StoreError, match="is a link to a folder outside it"):
        shares.sync()
    assert list((tmp_path / "elsewhere").rglob("*.jsonl")) == []
    assert _seen(a)[0] == ["r-a"]


@pytest.mark.parametrize("ahead_s", [-7_200, 7_200])
def test_a_purge_reaches_rows_of_a_clock_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    """Rows that were recorded before the purge, by a clock that says later, are shared after it:
    by what happened they go, whatever the clocks say.
    """
    real = time.time_ns
    a, shares = _member(tmp_path, "a")
    b, other = _member(tmp_path, "b")
    shares.sync()
    with monkeypatch.context() as skewed:
        skewed.setattr(time, "time_ns", lambda: real() + ahead_s * 10**9)
        b.append("labels", [_label("r-b")])
    a.append("labels", [_label("r-a")])
    a.purge(examples=["e"])
    other.share()
    assert _seen(_member(tmp_path, "a")[0])[0] == []
    assert _seen(_member(tmp_path, "c")[0])[0] == []


@pytest.mark.parametrize("body", ODD)
def test_a_membership_that_does_not_read_is_one_sentence(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "team.json").write_bytes(body)
    with pytest.raises(StoreError, match="share the store again"):
        Membership.of(tmp_path)


def test_a_lab_opens_beside_a_membership_that_does_not_read(tmp_path: Path) -> None:
    """It works alone, and says that purges reach nobody."""
    (tmp_path / ".promptops").mkdir()
    (tmp_path / ".promptops" / "team.json").write_bytes(b"[1")
    with pytest.warns(RuntimeWarning, match="a purge reaches this store alone"):
        lab = Lab(tmp_path)
    assert lab.store.rows("SELECT 1") == [(1,)]
