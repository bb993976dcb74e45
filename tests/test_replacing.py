"""A file of the user that is written anew: who may read and write it stays as it was."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.errors import DatasetError, PromptOpsError
from promptops.lab import Dataset
from promptops.monitor.live_rows import to_dataset
from promptops.plain_file import replacing, write_target
from promptops.store import Store

pytestmark = pytest.mark.skipif(not hasattr(os, "chown"), reason="this system has no owners")

LINE = '{"id": "a", "inputs": {"q": "x"}, "expected": "y"}\n'
LIVE = {"id": "l-1", "prompt": "p", "version_id": "v", "values": '{"q": "hello"}'}
WRITERS = {
    "live calls": lambda path: to_dataset([LIVE], path),
    "dataset": lambda path: Dataset.read([{"q": "other"}]).write(path),
    "export": lambda path: Store(path.parent / "store").export(path),
    "report": lambda path: write_target(path, "text"),
}


@pytest.mark.parametrize("write", list(WRITERS.values()), ids=list(WRITERS))
def test_a_file_that_is_written_anew_is_read_by_nobody_else_than_before(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    """A file of users' calls for its owner alone had been open to all by the umask; where a
    container's root wrote it, its owner had lost it.
    """
    path = tmp_path / "file.jsonl"
    path.write_text(LINE)
    path.chmod(0o600)
    owner = 1234 if os.geteuid() == 0 else os.geteuid()
    os.chown(path, owner, -1)
    write(path)
    assert path.read_text() != LINE
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_uid == owner


def access_list(*entries: tuple[int, int, int]) -> bytes:
    """The form of acl(5) in an extended attribute, of (tag, permissions, id)."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in entries)


NOBODY = 0xFFFFFFFF
OF_A_GROUP = access_list(  # of which one member may read
    (1, 6, NOBODY), (2, 4, 1234), (4, 0, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY)
)


@pytest.mark.parametrize("write", list(WRITERS.values()), ids=list(WRITERS))
def test_an_access_list_stays_with_the_file(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    """The member had lost the file; and where the folder gives rights to its files, they had
    been given to one that had none.
    """
    if not hasattr(os, "setxattr"):
        pytest.skip("access lists are tried on Linux")
    name = "system.posix_acl_access"
    own, shared = tmp_path / "own.jsonl", tmp_path / "shared.jsonl"
    for path in (own, shared):
        path.write_text(LINE)
        path.chmod(0o640)
    try:
        os.setxattr(shared, name, OF_A_GROUP)
        os.setxattr(tmp_path, "system.posix_acl_default", OF_A_GROUP)
    except OSError:
        pytest.skip("this file system has no access lists")
    for path in (own, shared):
        write(path)
        assert path.read_text() != LINE
        assert path.stat().st_mode & 0o777 == 0o640
    assert os.getxattr(shared, name) == OF_A_GROUP
    assert name not in os.listxattr(own)


@pytest.mark.parametrize("write", list(WRITERS.values()), ids=list(WRITERS))
def test_a_file_that_may_not_be_written_stays(
    write: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had been replaced, since its folder may be written."""
    path = tmp_path / "file.jsonl"
    path.write_text(LINE)
    path.chmod(0o444)
    allowed = os.access  # of root everything is
    monkeypatch.setattr(os, "access", lambda at, how: at != str(path) and allowed(at, how))
    if os.geteuid() == 0 and write is WRITERS["live calls"]:
        path.chmod(0o644)
    with pytest.raises((OSError, PromptOpsError), match="Permission denied") as told:
        write(path)
    assert "file.jsonl" in str(told.value)
    assert path.read_text() == LINE


@pytest.mark.parametrize("name", ["dataset", "export", "report"])
def test_a_file_is_written_through_a_link(name: str, tmp_path: Path) -> None:
    """As every other program does; a dataset and an export had taken the link's place."""
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    real.write_text(LINE)
    link.symlink_to(real.name)
    WRITERS[name](link)
    assert link.is_symlink()
    assert real.read_text() != LINE


def test_nobody_reads_a_file_while_it_is_written(tmp_path: Path) -> None:
    """For a moment it had the permissions that the umask leaves."""
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o600)
    with replacing(path) as beside:
        assert os.stat(beside).st_mode & 0o077 == 0
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == ["secret"]
    long = tmp_path / ("x" * 255)  # the most that a name may have
    write_target(long, "text")
    assert long.read_text() == "text"


def test_calls_are_not_added_in_a_links_place(tmp_path: Path) -> None:
    """The link had become a file of its own, while the file that it leads to stayed as it was."""
    real = tmp_path / "shared.jsonl"
    real.write_text(LINE)
    link = tmp_path / "from_live.jsonl"
    link.symlink_to(real)
    with pytest.raises(
        DatasetError, match=r"from_live\.jsonl is a link, and is not written through"
    ):
        to_dataset([LIVE], link)
    assert link.is_symlink()
    assert to_dataset([LIVE], real)[1] == 1
    assert len(Dataset.read(link)) == 2
