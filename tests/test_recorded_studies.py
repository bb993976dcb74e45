"""The main road on real recorded outputs: accuracies as published, the right verdicts, a promotion
that an application loads.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops.errors import Refused
from promptops.lab import Comparison, Dataset, Lab, PromptVersion
from promptops.scorers import scorer

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
pytestmark = [
    pytest.mark.skipif(
        not DATA.exists() and not os.environ.get("CI"),
        reason="the recorded outputs are not beside this checkout",
    ),
    pytest.mark.xdist_group("recorded"),
]


def lines(*path: str) -> list[dict[str, Any]]:
    with DATA.joinpath(*path).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def published(name: str, metric: str) -> dict[tuple[str, str], float]:
    """(slice, version) -> the printed figure, in per cent."""
    figures = json.loads((DATA / name / "published.json").read_text(encoding="utf-8"))["figures"]
    return {
        (figure["slice"], figure["version"]): figure["published"]
        for figure in figures
        if figure["metric"].startswith(metric)
    }


def examples(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"],
            "inputs": row["inputs"],
            "expected": row["expected"],
            "tags": [row["task"]] if "task" in row else [],
        }
        for row in rows
    ]


@scorer(name="bbh_exact", version="1")
def bbh_exact(output: str, expected: str) -> bool:
    """The rule of the benchmark's authors: what follows the last "answer is", its final period
    aside, is the target.
    """
    answer = (
        output.rpartition("answer is ")[2].strip() if "answer is " in output else output.strip()
    )
    return answer.removesuffix(".") == expected


@pytest.fixture(scope="module")
def bbh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, dict[str, Any]]]:
    """Each task as a prompt of two versions, its recorded outputs imported and scored."""
    lab = Lab(tmp_path_factory.mktemp("bbh"))
    rows, outputs = lines("bbh", "dataset.jsonl"), lines("bbh", "outputs.jsonl")
    templates = {
        (row["name"], row["version"]): row["template"] for row in lines("bbh", "prompts.jsonl")
    }
    task_of = {row["id"]: row["task"] for row in rows}
    studies = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        data = Dataset.read(examples([row for row in rows if row["task"] == task]), name=task)
        prompt = lab.prompt(f"bbh/{task}")
        versions = {
            label: prompt.save(_template(templates[f"bbh/{task}", label]), model="code-davinci-002")
            for label in ("v1-direct", "v2-cot")
        }
        table = [row for row in outputs if task_of[row["example_id"]] == task]
        studies[task] = lab.import_runs(
            table, data, [bbh_exact], prompt=f"bbh/{task}", versions=versions
        )
    return lab, studies


@pytest.fixture(scope="module")
def by_rows(bbh: tuple[Lab, dict[str, Any]]) -> dict[str, Comparison]:
    """Each task's two versions compared row by row, as its authors count."""
    _, studies = bbh
    return {
        task: study.compare(candidate="v2-cot", baseline="v1-direct", weights="rows")
        for task, study in studies.items()
    }


@pytest.fixture(scope="module")
def compared(bbh: tuple[Lab, dict[str, Any]]) -> dict[str, Comparison]:
    """Each task's two versions compared as the toolkit does by itself."""
    _, studies = bbh
    return {
        task: study.compare(candidate="v2-cot", baseline="v1-direct")
        for task, study in studies.items()
    }


def _template(text: str) -> PromptVersion:
    """The recorded template as a version: its one placeholder is the variable, all other braces
    stand for themselves.
    """
    before, _, after = text.partition("{{input}}")
    return PromptVersion(before.replace("{{", "{{{{") + "{{input}}" + after.replace("{{", "{{{{"))


def test_bbh_accuracies_are_the_published_ones_to_the_printed_digit(
    by_rows: dict[str, Comparison],
) -> None:
    """36 accuracies, scored by an extraction of this test's own, equal the figures of the
    repository, which counts two questions that it holds twice as often as it holds them.
    """
    printed = published("bbh", "exact-match accuracy")
    found = {}
    for task, comparison in by_rows.items():
        found[task, "v1-direct"] = round(100 * comparison.primary.baseline, 6)
        found[task, "v2-cot"] = round(100 * comparison.primary.candidate, 6)
    wanted = {key: round(value, 6) for key, value in printed.items() if key in found}
    assert len(wanted) == 36
    assert found == wanted


def test_bbh_verdicts_follow_the_data(compared: dict[str, Comparison]) -> None:
    """Each of the 18 comparisons is promoted, rejected or left open as scipy's exact binomial test
    on the disagreements says.
    """
    from scipy.stats import binomtest

    decisions = {}
    for task, comparison in compared.items():
        wins, losses = comparison.primary.wins, comparison.primary.losses
        better = binomtest(wins, wins + losses, 0.5, alternative="greater").pvalue
        worse = binomtest(losses, wins + losses, 0.5, alternative="greater").pvalue
        wanted = "promote" if better <= 0.05 else "reject" if worse <= 0.05 else "inconclusive"
        decisions[task] = comparison.verdict.decision
        assert decisions[task] == wanted, (task, wins, losses)
        assert comparison.primary.p_better == pytest.approx(better, rel=1e-9)
    assert set(decisions.values()) == {"promote", "reject", "inconclusive"}  # some must not promote


def test_bbh_pooled(tmp_path: Path, by_rows: dict[str, Comparison]) -> None:
    """All 4,500 examples together: the two arms' means are those of the tasks, and the tasks that
    lose are named.
    """
    lab = Lab(tmp_path)
    data = Dataset.read(examples(lines("bbh", "dataset.jsonl")), name="bbh")
    study = lab.import_runs(lines("bbh", "outputs.jsonl"), data, [bbh_exact])
    comparison = study.compare(candidate="v2-cot", baseline="v1-direct", weights="rows")
    parts = [each.primary for each in by_rows.values()]
    assert comparison.primary.n == 4500 == sum(part.n for part in parts)
    assert comparison.primary.wins == sum(part.wins for part in parts)
    assert comparison.primary.losses == sum(part.losses for part in parts)
    assert comparison.verdict.decision == "promote"
    losing = {task for task, each in by_rows.items() if each.primary.gain < 0}
    against = {row.tag for row in comparison.slices().against}
    assert losing
    assert losing <= against | {row.tag for row in comparison.slices().rows if row.gain < 0}


def test_a_winning_task_is_promoted_and_an_application_renders_the_recorded_prompt(
    bbh: tuple[Lab, dict[str, Any]], compared: dict[str, Comparison]
) -> None:
    """First deployment, promotion on evidence, refusal where the evidence does not carry it; the
    loader renders the recorded text.
    """
    lab, studies = bbh
    verdicts = {task: each.verdict.decision for task, each in compared.items()}
    winner = next(task for task, decision in verdicts.items() if decision == "promote")
    loser = next(task for task, decision in verdicts.items() if decision != "promote")
    for task in (winner, loser):
        prompt = lab.prompt(f"bbh/{task}")
        assert lab.promote(prompt[1], env="prod", study=studies[task]).number == 1
    with pytest.raises(Refused):
        lab.promote(lab.prompt(f"bbh/{loser}")[2], env="prod", study=studies[loser])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            lab.promote(lab.prompt(f"bbh/{winner}")[2], env="prod", study=studies[winner]).number
            == 2
        )
    served = promptops.load(
        f"bbh/{winner}", env="prod", registry=str(lab.project.location.registry)
    )
    template = next(
        row["template"]
        for row in lines("bbh", "prompts.jsonl")
        if (row["name"], row["version"]) == (f"bbh/{winner}", "v2-cot")
    )
    text = next(
        row["inputs"]["input"] for row in lines("bbh", "dataset.jsonl") if row["task"] == winner
    )
    assert served.messages(input=text) == [
        {"role": "user", "content": template.replace("{{input}}", text)}
    ]


def test_gsm8k_accuracies_as_published(tmp_path: Path) -> None:
    """Four versions without a known prompt, 5,276 outputs: accuracies equal the recorded ones, all
    compared on one leaderboard.
    """

    @scorer(name="last_answer", version="1")
    def last_answer(output: str, expected: str) -> bool:
        return output.rpartition("A:")[2].strip().replace(",", "") == expected.replace(",", "")

    outputs = lines("gsm8k_openai", "outputs.jsonl")
    data = Dataset.read(examples(lines("gsm8k_openai", "dataset.jsonl")), name="gsm8k")
    study = Lab(tmp_path).import_runs(outputs, data, [last_answer])
    board = study.leaderboard()
    found = {standing.label: 100 * standing.primary.mean for standing in board.standings}
    printed = {
        version: value for (_, version), value in published("gsm8k_openai", "accuracy").items()
    }
    assert found == pytest.approx(printed, abs=1e-9)
    assert board.duel("175b_verification", "6b_finetuning").verdict == "better"


def test_game24_a_hundred_samples_are_one_example(tmp_path: Path) -> None:
    """20,000 outputs of 100 puzzles: 100 pairs; the mean over samples favours v1-io, best of 100
    favours v2-cot; both as published.
    """
    import re

    @scorer(name="makes_24", version="1")
    def makes_24(output: str, example: Any) -> bool:
        return _makes_24(output, example.inputs["input"])

    def _makes_24(output: str, puzzle: str) -> bool:
        """The rule of the recording's authors: the last line's expression uses each number once,
        and is 24.
        """
        expression = output.strip().split("\n")[-1].lower().replace("answer: ", "").split("=")[0]
        if sorted(re.findall(r"\d+", expression)) != sorted(re.findall(r"\d+", puzzle)):
            return False
        if (
            not re.fullmatch(r"[\d+\-*/(). ]{1,80}", expression)
            or "**" in expression
            or "//" in expression
        ):
            return False
        try:
            return (
                abs(eval(expression, {"__builtins__": {}}) - 24) < 1e-6
            )  # digits and + - * / ( ) only: checked in the line above
        except (SyntaxError, ZeroDivisionError, TypeError):
            return False

    outputs = [
        row for row in lines("game24", "outputs.jsonl") if row["version"] in ("v1-io", "v2-cot")
    ]
    data = Dataset.read(examples(lines("game24", "dataset.jsonl")), name="game24")
    began = time.perf_counter()
    study = Lab(tmp_path).import_runs(outputs, data, [makes_24], sample="sample")
    assert time.perf_counter() - began < 60  # seconds, not minutes, on a busy machine
    scores = study.scores(limit=30_000)
    recorded = {
        (row["version"], row["example_id"], row["sample"]): row["recorded_score"] for row in outputs
    }
    own = {(row.arm, row.example_id, row.repeat): row.value for row in scores.itertuples()}
    assert len(own) == 20_000
    assert own == recorded
    comparison = study.compare(candidate="v2-cot", baseline="v1-io")
    assert comparison.primary.n == 100
    assert comparison.primary.repeats == 100
    printed = published("game24", "success %, mean of 100 samples")
    assert round(100 * comparison.primary.candidate, 1) == printed["game24", "v2-cot"]
    assert round(100 * comparison.primary.baseline, 1) == printed["game24", "v1-io"]
    best = scores.groupby(["arm", "example_id"])["value"].max().groupby("arm").mean() * 100
    assert {("game24", arm): round(value, 1) for arm, value in best.items()} == published(
        "game24", "success %, best of 100"
    )
    assert comparison.primary.gain < 0 < best["v2-cot"] - best["v1-io"]
