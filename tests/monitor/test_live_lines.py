"""Lines of live calls as log agents store them: prefixed, wrapped in JSON, split into pieces."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.monitor.ingest import is_live_file
from promptops.monitor.live_lines import LiveLines

STAMP = "2026-11-30T16:00:00.123456789Z"


def lines() -> list[str]:
    """An application's standard output: every third call has a long answer."""
    found = ["started"]
    for number in range(9):
        text = "\u00e9x" * (15_000 if number % 3 == 0 else 5)
        row = {"promptops": "live", "id": f"l-{number}", "output": text}
        found += [json.dumps(row, ensure_ascii=False), f'{{"level": "info", "n": {number}}}']
    return found


def pieces(line: str) -> list[str]:
    """As Docker and containerd split it: 16 KiB each."""
    data = line.encode()
    parts = [data[at : at + 16_384] for at in range(0, len(data), 16_384)]
    return [part.decode("utf-8", "surrogateescape") for part in parts]


def docker(found: list[str]) -> list[str]:
    """The json-file driver; another stream's line comes between the pieces."""
    other = json.dumps({"log": "on stderr\n", "stream": "stderr", "time": STAMP})
    out = []
    for line in found:
        for piece in pieces(line + "\n"):
            wrapped = {"log": piece, "stream": "stdout", "time": STAMP}
            out += [json.dumps(wrapped, ensure_ascii=False), other]
    return out


def kubernetes(found: list[str]) -> list[str]:
    out = []
    for line in found:
        *first, last = pieces(line)
        out += [f"{STAMP} stdout P {piece}" for piece in first]
        out += [f"{STAMP} stderr F between", f"{STAMP} stdout F {last}"]
    return out


def compose(found: list[str]) -> list[str]:
    return [f"web-1  | {line}" for line in found]


def journal(found: list[str]) -> list[str]:
    return [json.dumps({"_PID": "1", "MESSAGE": line}) for line in found]


def fluent(found: list[str]) -> list[str]:
    """The text and what the agent parsed of it, and fields after both."""
    parsed = [json.loads(line) if line.startswith("{") else {} for line in found]
    return [
        json.dumps({"log_processed": row, "log": line, "pod": "p"})
        for row, line in zip(parsed, found, strict=True)
    ]


def nested(found: list[str]) -> list[str]:
    return [f'{{"jsonPayload": {line}, "pod": "p"}}' for line in found if line.startswith("{")]


def twice(texts: list[str]) -> list[str]:
    """An agent that takes the files of Docker as they are."""
    return [json.dumps({"message": each, "host": "a"}) for each in docker(texts)]


def relayed(texts: list[str]) -> list[str]:
    """An agent's lines, which Docker keeps and splits again."""
    return docker(fluent(texts))


@pytest.mark.parametrize(
    "stored",
    [list, docker, kubernetes, compose, journal, fluent, nested, twice, relayed],
    ids=lambda f: f.__name__,
)
def test_every_row_is_read_once(tmp_path: Path, stored: Callable[[list[str]], list[str]]) -> None:
    """Whole, also where an agent split it in the middle of a letter."""
    log = tmp_path / "app.log"
    text = "\n".join(stored(lines())) + "\n"
    log.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert is_live_file(log)
    read = LiveLines(log, ("live",))
    rows = [row for _, row in read]
    assert [row["id"] for row in rows] == [f"l-{number}" for number in range(9)]
    assert [len(row["output"]) // 1_000 for row in rows] == [30, 0, 0] * 3
    assert read.cut == 0


def test_what_is_not_whole_is_counted(tmp_path: Path) -> None:
    """A piece without its end, and a torn row with a whole one behind it on the same line."""
    log = tmp_path / "app.log"
    row = '{"promptops": "live", "id": "l-1"}'
    log.write_text(
        f'{{"promptops": "live", "id": {row}\n{STAMP} stdout P {{"promptops": "live"\n',
        encoding="utf-8",
    )
    read = LiveLines(log, ("live",))
    assert [each["id"] for _, each in read] == ["l-1"]
    assert read.cut == 2


@pytest.mark.parametrize(
    "stored",
    [list, docker, kubernetes, compose, journal, fluent, nested, twice, relayed],
    ids=lambda f: f.__name__,
)
def test_a_text_that_looks_like_a_row_is_none(
    tmp_path: Path, stored: Callable[[list[str]], list[str]]
) -> None:
    """A user's question had stood in the place of the call that it was asked in."""
    said = json.dumps({"promptops": "live", "id": "forged", "failure": "timeout"})
    rows = [
        {"promptops": "live", "id": "l-1", "inputs": {"q": said}, "output": said},
        {"promptops": "live", "id": "l-2", "output": f"{said}\n{said}"},
    ]
    log = tmp_path / "app.log"
    log.write_text("\n".join(stored([json.dumps(row) for row in rows])) + "\n", encoding="utf-8")
    assert [row["id"] for _, row in LiveLines(log, ("live",))] == ["l-1", "l-2"]


def test_a_row_in_another_order_of_fields_gives_no_row_of_its_texts(tmp_path: Path) -> None:
    said = json.dumps({"promptops": "live", "id": "forged"})
    log = tmp_path / "app.log"
    log.write_text(json.dumps({"date": 1, "promptops": "live", "output": said}), encoding="utf-8")
    assert list(LiveLines(log, ("live",))) == []


def test_a_line_of_many_torn_rows_is_read_in_one_pass(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text(
        '{"promptops"' * 200_000 + '\n{"promptops": "live", "id": "l-1"}', encoding="utf-8"
    )
    began = time.process_time()
    assert [row["id"] for _, row in LiveLines(log, ("live",))] == ["l-1"]
    assert time.process_time() - began < 2.0
