"""`promptops compare` of 0/1 outcomes on the extra [cli]: by the standard library, to the letter
what the full comparison prints; what needs more names the extra [run].
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from promptops.cli import compare_command
from promptops.cli.__main__ import main
from promptops.cli.extras import PACKAGES, extra_of

TABLES = 200
ALONE = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
from promptops.cli.__main__ import main
for words in {lines!r}:
    try:
        main(words)
    except SystemExit as ended:
        print("exit", ended.code)
heavy = sorted(set({blocked!r}) & {{name for name, found in sys.modules.items() if found}})
print("loaded", heavy)
"""


def table(folder: Path, seed: int) -> list[str]:
    """A random table's file written; the command that compares its columns."""
    chance = random.Random(seed)
    n = chance.choice((1, 2, 5, 9, 16, 20, 30, 45)) if seed % 50 else 250
    kind = chance.choice(("scores", "scores", "words", "labels", "letters", "numbers"))
    better, worse = chance.random() * 0.5, chance.random() * chance.choice((0.0, 0.1, 0.4))
    rows = [row(chance, kind, i, better, worse) for i in range(n)]
    if chance.random() < 0.4:  # else the rows hold nothing but answers
        rows = [{"question": f"What is {i}?", **one} for i, one in enumerate(rows)]
    as_json = chance.random() < 0.4
    path = folder / f"t{seed}.{'jsonl' if as_json else 'csv'}"
    with path.open("w", newline="", encoding="utf-8") as file:
        if as_json:
            file.writelines(json.dumps(one) + "\n" for one in rows)
        else:
            out = csv.DictWriter(file, list(rows[0]))
            out.writeheader()
            out.writerows(rows)
    words = ["compare", str(path), "--baseline", "a", "--candidate", "b"]
    return words if kind == "scores" else [*words, "--expected", "gold"]


def row(chance: random.Random, kind: str, i: int, better: float, worse: float) -> dict[str, object]:
    """One example: the baseline is right on two of three, the candidate gains and loses some."""
    a = chance.random() < 0.66
    b = chance.random() >= worse if a else chance.random() < better
    if kind == "scores":
        return {"a": int(a), "b": int(b)}
    gold, other = {
        "words": (f"word{i}", "no"),
        "labels": chance.choice((("yes", "no"), ("no", "yes"), ("no", "yes"), ("no", "?"))),
        "letters": chance.choice((("A", "B"), ("B", "C"), ("C", "A"))),
        "numbers": (str(i * 7), "-1"),
    }[kind]
    return {"a": gold if a else other, "b": gold if b else other, "gold": gold}


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints, and its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    found = capsys.readouterr()
    return f"{found.out}{found.err}exit {ended.value.code or 0}\n"


def test_two_hundred_tables_read_alike_by_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every sentence, figure and note; verdicts of all three kinds are among them."""
    commands = [table(tmp_path, seed) for seed in range(TABLES)]
    full = [printed(words, capsys) for words in commands]
    monkeypatch.setattr(compare_command, "lacks", lambda extra: extra == "run")
    for words, expected in zip(commands, full, strict=True):
        assert printed(words, capsys) == expected, words
    for sentence in ("shown to be better.", "shown to be worse.", "nor worse.", "constant answer"):
        assert any(sentence in text for text in full), sentence


@pytest.mark.parametrize("seed", range(12))
def test_the_figures_as_json_agree_to_nine_digits(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Intervals, tests, e-value, spread and what n could see."""
    words = [*table(tmp_path, seed), "--json"]
    full = json.loads(printed(words, capsys).rpartition("exit")[0])
    monkeypatch.setattr(compare_command, "lacks", lambda extra: extra == "run")
    small = json.loads(printed(words, capsys).rpartition("exit")[0])
    [expected], [found] = full.pop("measures"), small.pop("measures")
    assert small == full
    assert found.keys() == expected.keys()
    within = (found.pop("within"), expected.pop("within"))  # no repeats: unknown
    assert within == ([None, None], [None, None])
    for name, value in expected.items():
        known = isinstance(value, (int, float, list))
        assert found[name] == (pytest.approx(value, rel=1e-9) if known else value), name


def test_a_process_without_the_heavy_packages_prints_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """None of them can be imported there, and nothing else is missing."""
    commands = [table(tmp_path, seed) for seed in range(20)]
    blocked = {*PACKAGES["run"], *PACKAGES["lab"], "aiohttp", "re2", "rapidfuzz", "openpyxl"}
    code = ALONE.format(blocked=sorted(blocked - set(PACKAGES["cli"])), lines=commands)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    expected = "".join(printed(words, capsys) for words in commands)
    assert done.stderr == ""
    assert done.stdout == f"{expected}loaded []\n"


@pytest.mark.parametrize(
    ("name", "rows", "more", "why"),
    [
        ("t.csv", [{"a": "0.5", "b": "1"}], (), "scores other than 0 and 1"),
        ("t.csv", [{"a": "", "b": "1"}, {"a": "1", "b": "1"}], (), "examples without a score"),
        ("t.csv", [{"a": "1", "b": "1", "g": "x"}] * 2, ("--cluster", "g"), "examples in clusters"),
        ("t.csv", [{"a": "1", "b": "1", "g": "x"}], ("--tags", "g"), "examples with tags"),
        ("t.csv", [{"a": "1", "b": "1"}], ("--scorer", "exact"), "answers by a named scorer"),
        ("t.csv", [{"a": "1", "b": "1"}], ("--markdown",), "--markdown"),
        ("t.csv", [{"a": "1", "b": "1"}], ("-o", "r.html"), "-o"),
        ("t.parquet", [{"a": "1", "b": "1"}], (), ".parquet"),
    ],
)
def test_what_needs_more_names_the_extra(
    name: str,
    rows: list[dict[str, str]],
    more: tuple[str, ...],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, what it was that needs it, and the line that installs it."""
    monkeypatch.setattr(compare_command, "lacks", lambda extra: extra == "run")
    with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    words = ["compare", str(tmp_path / name), "--baseline", "a", "--candidate", "b", *more]
    said = printed(words, capsys)
    assert why in said
    assert "`pip install 'promptops-toolkit[run]'`" in said
    assert said.endswith("exit 2\n")


def test_the_command_itself_needs_the_smallest_extra() -> None:
    """So that `promptops compare` starts there."""
    assert extra_of("compare") == "cli"


@pytest.mark.parametrize(("b", "c", "n"), [(3, 0, 5), (40, 21, 300), (620, 540, 5000), (0, 7, 9)])
def test_the_counts_are_those_of_scipy(b: int, c: int, n: int) -> None:
    """Also beyond the sizes at which a tail is a whole number over a power of two."""
    from promptops.analysis import binary_counts, e_values, intervals, paired_tests, power

    test = paired_tests.sign_flip([1.0] * b + [-1.0] * c + [0.0] * (n - b - c), grid=1.0)
    assert binary_counts.sign_test(b, c)[:2] == pytest.approx(
        (test.p_greater, test.p_less), rel=1e-9
    )
    assert binary_counts.tango(b, c, n, level=0.9) == pytest.approx(
        intervals.tango(b, c, n, level=0.9), abs=1e-12
    )
    assert binary_counts.wilson(b, n, level=0.95) == pytest.approx(
        intervals.wilson(b, n, level=0.95), abs=1e-12
    )
    assert binary_counts.e_value(b, c) == pytest.approx(e_values.e_value_of_counts(b, c), rel=1e-9)
    assert binary_counts.mde(b + c, n) == power.mde_binary(b + c, n)
    if b > c:
        assert binary_counts.n_needed(b / n, c / n) == power.n_binary(b / n, c / n)
