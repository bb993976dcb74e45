"""`promptops compare`: one line, the plain sentence, ids, a report; quick on 5,000 rows; wrong use
in one sentence.
"""

from __future__ import annotations

import csv
import json
import random
import time
from pathlib import Path

import pytest

from promptops.cli.__main__ import main


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """500 rows: B is right on 41 more (71 won, 30 lost)."""
    path = tmp_path / "results.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["question", "gpt", "mini", "gold"])
        for i in range(500):
            out.writerow(
                [
                    f"q{i}",
                    "no" if i < 71 or i >= 400 else "yes",
                    "no" if 71 <= i < 101 or i >= 400 else "yes",
                    "yes",
                ]
            )
    return path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_the_plain_sentence(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """41 more of 500, by luck 1 in 36,000 (exact one-sided binomial, 71:30), these 30 got worse,
    and the report is there.
    """
    from scipy.stats import binomtest

    p = binomtest(71, 101, alternative="greater").pvalue
    assert (
        run(
            "compare",
            str(results),
            "--baseline",
            "gpt",
            "--candidate",
            "mini",
            "--expected",
            "gold",
            "-o",
            str(tmp_path / "r.html"),
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "mini is right on 41 more of 500 examples than gpt (71 won, 30 lost): +8.2 points" in out
    assert f"1 in {round(1 / p / 1000) * 1000:,}" in out
    assert "These 30 got worse: row-100, row-101, row-72" in out
    assert "mini is shown to be better." in out
    assert "Scored by exact(expected)" in out
    assert "row-72" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_json_markdown_and_a_named_scorer(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures for machines, a table for a pull request; scorers are declared, and the first
    decides.
    """
    base = [
        "compare",
        str(results),
        "--baseline",
        "gpt",
        "--candidate",
        "mini",
        "--expected",
        "gold",
    ]
    assert (
        run(
            *base, "--json", "--scorer", "similar_to(at_least=0.9)", "--scorer", "length(at_most=3)"
        )
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert document["primary"] == "similar_to(expected)>=0.9"
    assert [len(document["worse"]), document["verdict"]["decision"], len(document["measures"])] == [
        30,
        "promote",
        2,
    ]
    assert run(*base, "--markdown") == 0
    assert "| metric |" in capsys.readouterr().out


def test_five_thousand_rows_within_ten_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The promise, on the whole command, with numbers in prose."""
    path, chance = tmp_path / "big.csv", random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["a", "b", "gold"])
        for _ in range(5000):
            gold = chance.randint(0, 10**6)
            out.writerow(
                [
                    f"It is {gold + (chance.random() < 0.3)}.",
                    f"So the answer is {gold + (chance.random() < 0.2)}",
                    gold,
                ]
            )
    began = time.perf_counter()
    assert (
        run(
            "compare",
            str(path),
            "--baseline",
            "a",
            "--candidate",
            "b",
            "--expected",
            "gold",
            "-o",
            str(tmp_path / "r.html"),
        )
        == 0
    )
    assert time.perf_counter() - began < 10
    assert "b is shown to be better" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--baseline", "gtp", "--candidate", "mini", "--expected", "gold"], "no column 'gtp'"),
        (["--baseline", "gpt", "--candidate", "gold"], "what a good answer is"),
        (
            [
                "--baseline",
                "gpt",
                "--candidate",
                "mini",
                "--expected",
                "gold",
                "--scorer",
                "open('x')",
            ],
            "no scorer 'open'",
        ),
        (["--baseline", "gpt"], "--candidate"),
    ],
)
def test_misuse_is_exit_2_and_one_sentence(
    results: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """What is wrong, on standard error."""
    assert run("compare", str(results), *arguments) == 2
    assert says in capsys.readouterr().err


def test_examples_are_parameters_of_a_test(tmp_path: Path) -> None:
    """The pytest helper: an example's id is the test's id, and a changed example's gain is its
    value.
    """
    from promptops.lab import compare
    from promptops.testing.by_example import by_example, changed

    rows = [{"id": f"x{i}", "q": f"q{i}", "a": 1.0, "b": float(i != 2)} for i in range(4)]
    assert [param.id for param in by_example(rows)] == ["x0", "x1", "x2", "x3"]
    assert [
        (param.id, param.values) for param in changed(compare(rows, baseline="a", candidate="b"))
    ] == [("x2", (-1.0,))]


def test_several_tables_are_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row per table, biggest loss first, then the sentences; as JSON; as tags of one table; and
    options that do not go with tasks.
    """
    both, right = [["topic", "q", "a", "b", "gold"]], {"sums": 20, "dates": 15, "irony": 3}
    for task, count in right.items():
        lines = [
            [task, f"{task} {i}", "yes" if i < 8 else "no", "yes" if i < count else "no", "yes"]
            for i in range(24)
        ]
        both += lines
        with (tmp_path / f"{task}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([both[0], *lines])
    with (tmp_path / "all.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(both)
    asked = ("--baseline", "a", "--candidate", "b", "--expected", "gold")
    tables = [str(tmp_path / f"{task}.csv") for task in right]
    assert run("compare", *tables, *asked) == 0
    out = capsys.readouterr().out
    first = out.splitlines()
    assert [line.split("\t")[0] for line in first[:4]] == ["task", "irony", "dates", "sums"]
    assert first[4] == "b wins on 2 of 3 tasks, loses on 1."
    assert "  - sums: Scored by" in out
    assert run("compare", *tables, *asked, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["wins"], row["losses"]) for row in document["tasks"]] == [
        ("irony", 0, 5),
        ("dates", 7, 0),
        ("sums", 12, 0),
    ]
    one = str(tmp_path / "all.csv")
    assert run("compare", one, *asked, "--tags", "topic", "--tasks") == 0
    assert capsys.readouterr().out.splitlines()[:5] == first[:5]
    for wrong in ([one, "--tasks"], [*tables, "--tasks"], [*tables, "--markdown"]):
        assert run("compare", *wrong, *asked) == 2
    assert "leave it out for tasks" in capsys.readouterr().err


def test_a_rejected_candidate_that_is_not_worse_is_not_called_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One answer to everything is rejected for that, whatever the lead is."""
    path = tmp_path / "t.csv"
    rows = [f"q{i},{'ab'[i % 2]},{'ab'[i // 20]},b" for i in range(40)]
    path.write_text("q,expected,v1,v2\n" + "\n".join(rows))
    assert run("compare", str(path), "--baseline", "v1", "--candidate", "v2") == 0
    out = capsys.readouterr().out
    assert "v2 is rejected." in out
    assert "shown to be worse" not in out
