"""`promptops canary guard` over what an application recorded: it ends a canary whose users fare
worse, and touches nothing else.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import RegistryError
from promptops.observe.sinks import FolderSink
from promptops.registry.editor import Editor

from .conftest import NAME, Run


def recorded(path: Path, failing: float, *, keyed: bool = True) -> list[dict[str, Any]]:
    """Rows of 600 users of dev, a tenth of them with the canary v3 that fails for this share."""
    two, three = (entry.id for entry in Editor(path).versions(NAME)[1:3])
    rows = []
    for user in range(600):
        canary = user % 10 == 0
        failed = canary and (user // 10) % 10 < failing * 10
        row = {
            "id": f"l-{user:04}",
            "prompt": NAME,
            "env": "dev",
            "version_id": three if canary else two,
            "started_at": f"2099-01-01T00:{user // 60:02}:{user % 60:02}",
            "latency_ms": 100.0,
            "key_hash": f"u1-{user}" if keyed else None,
            "failure": "server_error" if failed else None,
        }
        rows.append({name: value for name, value in row.items() if value is not None})
    return rows


def folder_of(tmp_path: Path, rows: list[dict[str, Any]]) -> str:
    """A folder as `promptops.observe` writes it."""
    folder = tmp_path / "record"
    sink = FolderSink(folder)
    sink.write([("live", row) for row in rows])
    sink.close()
    return str(folder)


def log_of(tmp_path: Path, rows: list[dict[str, Any]]) -> str:
    """A log with the lines of other programs between."""
    lines = [json.dumps({"promptops": "live", **row}) for row in rows]
    log = tmp_path / "app.log"
    log.write_text("\n".join(["started", *lines, '{"torn', '{"level": "info"}']), encoding="utf-8")
    return str(log)


@pytest.mark.parametrize("written", [folder_of, log_of])
def test_a_failing_canary_is_ended_only_with_abort(
    path: Path, run: Run, tmp_path: Path, written: Any
) -> None:
    record = written(tmp_path, recorded(path, 0.5))
    before = path.read_bytes()
    words = ("canary", "guard", NAME, "--env", "dev", "--record", record)
    code, out, _ = run(*words)
    assert code == 1
    assert "v3 is worse than v2" in out
    assert "10.0 % of them by the canary (20 % of the keys are its own)" in out
    assert out.endswith(f"to end it: promptops canary abort {NAME} --env dev\n")
    assert run(*words, "--abort", "--dry-run")[0] == 1
    assert path.read_bytes() == before
    code, out, _ = run(*words, "--abort")
    assert (code, out.splitlines()[-1]) == (
        1,
        "the canary is ended: everyone in dev gets v2 again.",
    )
    assert Editor(path).history(NAME, "dev")[-1].author == "eve"
    code, out, _ = run(*words, "--abort")
    assert (code, out) == (0, f"nothing to guard: no canary of {NAME} runs in dev.\n")


def test_a_canary_that_cannot_be_ended_here_is_worse_all_the_same(
    path: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a host that may only read: the job had been told that nothing could be found out."""

    def refused(*_: object, **__: object) -> None:
        raise RegistryError("the folder cannot be written (Permission denied).")

    monkeypatch.setattr(Editor, "abort", refused)
    record = folder_of(tmp_path, recorded(path, 0.5))
    words = ("canary", "guard", NAME, "--env", "dev", "--record", record, "--abort")
    code, out, _ = run(*words)
    assert code == 1
    assert "v3 is worse than v2" in out
    assert out.endswith(f"can be written: promptops canary abort {NAME} --env dev\n")
    code, out, _ = run(*words, "--json")
    assert (code, json.loads(out)["exit_code"], json.loads(out)["decision"]) == (1, 1, "abort")


def test_a_canary_that_is_well_goes_on_and_without_keys_nothing_is_known(
    path: Path, run: Run, tmp_path: Path
) -> None:
    record = log_of(tmp_path, recorded(path, 0.0))
    code, out, _ = run("canary", "guard", NAME, "--env", "dev", "--record", record, "--json")
    assert code == 0
    assert json.loads(out)["decision"] == "keep"
    record = log_of(tmp_path, recorded(path, 0.9, keyed=False))
    code, out, _ = run("canary", NAME, "guard", "--env", "dev", "--record", record, "--abort")
    assert code == 2
    assert "only 0% of the calls carry a user's key" in out


def test_lines_that_were_cut_are_said(path: Path, run: Run, tmp_path: Path) -> None:
    """A log agent that cuts long lines may leave out the calls of one arm."""
    log = Path(log_of(tmp_path, recorded(path, 0.0)))
    words = ("canary", "guard", NAME, "--env", "dev", "--record", str(log))
    assert "cut off" not in run(*words)[1]
    with log.open("a", encoding="utf-8") as file:
        file.write('\n{"promptops": "live", "id": "l-9\n' * 2)
    assert "note: 2 lines of app.log cut off, and not counted here." in run(*words)[1]
    assert json.loads(run(*words, "--json")[1])["cut_lines"] == 2


def test_feedback_is_the_quality_where_nothing_is_scored(
    path: Path, run: Run, tmp_path: Path
) -> None:
    rows = recorded(path, 0.0)
    folder = Path(folder_of(tmp_path, rows))
    sink = FolderSink(folder)
    said = [
        {"id": f"f-{at}", "run": row["id"], "kind": "good", "value": 0.0 if at % 10 == 0 else 1.0}
        for at, row in enumerate(rows)
    ]
    sink.write([("feedback", {**row, "at": "2099-01-02T00:00:00"}) for row in said])
    former = {"value": 1.0, "at": "2099-01-01T12:00:00"}  # a vote that was changed since
    sink.write([("feedback", {**row, "id": f"{row['id']}-former", **former}) for row in said])
    sink.close()
    code, out, _ = run("canary", "guard", NAME, "--env", "dev", "--record", str(folder))
    assert code == 1
    assert "600 with a quality" in out


def test_misuse_is_said(path: Path, run: Run, tmp_path: Path) -> None:
    assert "no live calls are named" in run("canary", "guard", NAME, "--env", "dev")[2]
    assert "is not a step" in run("canary", "push", NAME, "--env", "dev")[2]
    code, _, err = run("canary", "guard", NAME, "50", "--env", "dev")
    assert (code, "takes none" in err or "takes the new share" in err) == (2, True)


def test_the_record_may_grow_while_it_is_read(path: Path, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "record"
    sink = FolderSink(folder)
    rows = recorded(path, 0.5)
    sink.write([("live", row) for row in rows[:300]])
    writer = threading.Thread(target=lambda: sink.write([("live", r) for r in rows[300:]]))
    writer.start()
    code, _, _ = run("canary", "guard", NAME, "--env", "dev", "--record", str(folder))
    writer.join()
    assert code in (0, 1)
    sink.close()
    assert run("canary", "guard", NAME, "--env", "dev", "--record", str(folder))[0] == 1
