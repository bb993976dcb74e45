"""A team's store in a bucket: the same as in a folder, over the protocol of S3 on this machine; and
the commands that share it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptops.cli.__main__ import main
from promptops.scale.team_store import join_team
from promptops.store import Store


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of an empty bucket, with credentials in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    patch = pytest.MonkeyPatch()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="team")
    yield "s3://team/promptops"
    patch.undo()
    server.stop()


def test_a_bucket_is_as_good_as_a_folder(bucket: str, tmp_path: Path) -> None:
    """Rows come to the other member once, and a purge takes them from both and from the bucket."""
    a, b = (Store(tmp_path / name) for name in "ab")
    teams = [join_team(store, bucket) for store in (a, b)]
    a.append("runs", [{"id": f"r-{n}", "example_id": f"e{n}"} for n in range(4)])
    a.share()
    b.look()
    assert b.rows("select count(*) from runs") == [(4,)]
    b.share()
    assert len([name for name in teams[0].files.listing() if name.startswith("segments/")]) == 1
    a.purge(["e2"])
    b.look()
    assert b.rows("select example_id from runs order by 1") == [("e0",), ("e1",), ("e3",)]
    listed = teams[0].files.listing()
    assert not any(name.startswith("segments/") for name in listed)  # it is a batch by now
    assert any(name.endswith("runs.parquet") for name in listed)


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`share` joins, `sync` exchanges, `status` names the members, `ship` hands over live rows."""
    monkeypatch.setenv("PROMPTOPS_USER", "Ada")

    def said(folder: str, *words: str) -> tuple[int, str, str]:
        where = tmp_path / folder
        where.mkdir(exist_ok=True)
        monkeypatch.chdir(where)
        (where / "pyproject.toml").touch()
        with pytest.raises(SystemExit) as ended:
            main(["store", *words])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    code, _, err = said("ada", "sync")
    assert (code, "promptops store share ADDRESS" in err) == (2, True)
    Store(tmp_path / "ada" / ".promptops").append("runs", [{"id": "r-1"}])
    code, out, _ = said("ada", "share", "../shared", "--keep-days", "30")
    assert code == 0
    assert "of 1 members" in out
    live = Store(tmp_path / "live")
    live.append("live", [{"id": "l-1", "prompt": "triage", "started_at": "2999-01-01"}])
    live.close()
    assert said("ada", "ship", str(tmp_path / "live"), "../shared")[0] == 0
    (tmp_path / "shared").rename(tmp_path / "away")  # as a share that is not mounted
    code, _, err = said("ada", "ship", str(tmp_path / "live"), "../shared")
    assert (code, "is not there" in err, (tmp_path / "shared").exists()) == (2, True, False)
    (tmp_path / "away").rename(tmp_path / "shared")
    assert said("ada", "ship", str(tmp_path / "live"), "../shared")[0] == 0
    assert said("ben", "share", "../shared")[0] == 0
    found = Store(tmp_path / "ben" / ".promptops")
    assert found.rows("select count(*) from live") == [(1,)]
    code, out, err = said("ada", "status", "--json")
    members = {member["who"]: member for member in json.loads(out)}
    assert code == 0
    assert "kept for 30 days" in err
    assert members["Ada"]["looked_at"]
    assert said("ada", "sync")[0] == 0
