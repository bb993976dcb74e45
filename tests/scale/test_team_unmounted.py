"""A team's folder that is away: a share that is not mounted is an empty folder, or none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from promptops.errors import StoreError
from promptops.scale.team_store import join_team
from promptops.store import Store
from tests.scale.test_team_store import Members, members, rows_of

__all__ = ["members"]


@pytest.mark.parametrize("left", ["an empty folder", "nothing"])
def test_a_share_that_is_not_mounted_is_not_begun_anew(members: Members, left: str) -> None:
    """A purge in it would reach nobody, and what is recorded waits for the share."""
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("a", 2))
    a.share()
    a.look(now=True)
    assert len(members.table(b)) == 2
    shared = Path(members.address)
    aside = shared.rename(members.tmp_path / "aside")
    if left == "an empty folder":
        shared.mkdir()
    a = members.store("a")
    a.append_all(rows_of("later", 1))
    with pytest.warns(RuntimeWarning, match="is not there: this store shared it before"):
        assert len(members.table(a)) == 3
    a.share()
    with pytest.raises(StoreError, match="mount the folder, or check the address"):
        a.purge(["a-e0"])
    assert a.rows("select count(*) from runs") == [(3,)]
    assert not shared.exists() or list(shared.iterdir()) == []
    if shared.exists():
        shared.rmdir()
    aside.rename(shared)
    a.share()
    a.purge(["a-e0"])
    assert [row[0] for row in members.table(members.store("b"))] == ["r-a-1", "r-later-0"]


def test_a_share_that_was_removed_on_purpose_is_begun_anew_on_request(members: Members) -> None:
    """All rows that this store has are handed over again."""
    a = members.store("a")
    a.append_all(rows_of("a", 2))
    a.share()
    a.look(now=True)
    shutil.rmtree(members.address)
    again = members.store("a")
    with pytest.raises(StoreError, match="^the team's store .* run `promptops store share`"):
        members.teams["a"].sync()
    members.teams["a"].begin()
    assert len(members.table(again)) == 2
    assert len(members.table(members.store("b"))) == 2


@pytest.mark.parametrize("address", ["ftp://promptops.invalid/x", "github://a/b"])
def test_an_address_of_another_kind_is_one_sentence(tmp_path: Path, address: str) -> None:
    """Whatever the packages of an address's kind raise while they are made."""
    with pytest.raises(StoreError, match="is not an address of a team's store"):
        join_team(Store(tmp_path / "a"), address)
