"""A call is recorded with the commit that its code stands on, and whether that code was changed
since; not with those of an hour ago.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from promptops.study import provenance


def git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(folder), *named, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the time pass for which git's answer is trusted."""
    now = [1000.0]
    monkeypatch.setattr(provenance.time, "monotonic", lambda: now[0])

    def passes() -> None:
        now[0] += provenance._GIT_S

    return passes


def test_commit_and_changes_are_those_of_the_moment(
    tmp_path: Path, passing: Callable[[], None]
) -> None:
    """Clean, edited, committed: three calls, three answers."""
    git(tmp_path, "init", "-q")
    code = tmp_path / "app.py"
    code.write_text("one = 1\n")
    git(tmp_path, "add", "app.py")
    git(tmp_path, "commit", "-qm", "one")
    first = provenance.provenance(tmp_path)
    assert (first.git_commit, first.git_dirty) == (
        git(tmp_path, "rev-parse", "--short=12", "HEAD"),
        False,
    )
    code.write_text("one = 2\n")
    passing()
    assert (
        provenance.provenance(tmp_path).git_commit,
        provenance.provenance(tmp_path).git_dirty,
    ) == (first.git_commit, True)
    git(tmp_path, "commit", "-qam", "two")
    passing()
    third = provenance.provenance(tmp_path)
    assert third.git_commit == git(tmp_path, "rev-parse", "--short=12", "HEAD") != first.git_commit
    assert third.git_dirty is False


def test_outside_a_repository_nothing_is_said(tmp_path: Path, passing: Callable[[], None]) -> None:
    found = provenance.provenance(tmp_path)
    assert (found.git_commit, found.git_dirty) == (None, None)


def test_the_cell_is_the_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other source, other hash; the same source, the same; outside a notebook none."""
    assert provenance.cell_hash() is None

    shell = SimpleNamespace(user_ns={"In": ["", "a = 1"]})
    monkeypatch.setattr(provenance, "_shell", lambda: shell)
    one = provenance.cell_hash()
    shell.user_ns["In"].append("a = 2")
    other = provenance.cell_hash()
    shell.user_ns["In"].append("a = 1")
    assert one is not None
    assert len(one) == 16
    assert one != other
    assert provenance.cell_hash() == one
