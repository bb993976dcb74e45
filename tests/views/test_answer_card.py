"""The card that answers: the decision, the effect, its cost and the next step come first."""

from __future__ import annotations

import colorsys
import html
import re
import warnings
from pathlib import Path

import pytest

from promptops.lab import Lab, compare
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, scorer
from promptops.views.answer_card import answer_card, cost_per_thousand
from promptops.views.comparison_view import body
from promptops.views.theme import BAD, GOOD, PALETTE


def table(tmp_path: Path, *, lost: int) -> Path:
    """30 questions: the candidate is right where the baseline is not, but for `lost` of them."""
    rows = [
        f"question {n},yes,{'yes' if n < lost else 'no'},{'no' if n < lost else 'yes'}"
        for n in range(30)
    ]
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(["question,expected,old,new", *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lost", "word", "effect"),
    [(0, "promote", "+100.0 points"), (30, "reject", "−100.0 points"), (15, "inconclusive", "0.0")],
)
def test_the_decision_and_the_effect_come_first(
    tmp_path: Path, lost: int, word: str, effect: str
) -> None:
    """The word, then the effect as the largest text, before the statement."""
    comparison = compare(table(tmp_path, lost=lost), baseline="old", candidate="new")
    shown = answer_card(comparison)
    assert shown.index(f"{word}</b>") < shown.index("po-effect") < shown.index("<svg")
    assert effect in re.sub("<[^>]+>", "", shown.partition("po-effect")[2])[:40]
    assert "n = <b>30</b> examples" in shown


def test_the_reason_is_not_the_statement_again(tmp_path: Path) -> None:
    """A rejected candidate's card says each sentence once."""
    comparison = compare(table(tmp_path, lost=30), baseline="old", candidate="new")
    assert answer_card(comparison).count("p &lt; 0.0001, one-sided") <= 1
    assert "Look at the lost examples first." in answer_card(comparison)


@pytest.mark.parametrize(
    ("tag", "size", "lost", "first"), [("logic", 18, 12, True), ("code", 9, 1, False)]
)
def test_a_loss_in_a_slice_stands_first_only_where_it_is_not_luck(
    tmp_path: Path, tag: str, size: int, lost: int, first: bool
) -> None:
    """60 won of math; 12 of 18 lost are the first thing to know, one of nine is the last."""
    rows = [f"math {n},{n % 7},no,{n % 7},math" for n in range(60)]
    rows += [f"{tag} {n},{n % 7},{n % 7},{'no' if n < lost else n % 7},{tag}" for n in range(size)]
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(["question,expected,old,new,tags", *rows]), encoding="utf-8")
    comparison = compare(path, baseline="old", candidate="new")
    before = answer_card(comparison).partition("Before you say yes</h4>")[2]
    [text] = comparison.slices().simpson
    assert f"overall but loses in {tag}" in text
    assert before.startswith("<ul><li>")
    assert before.startswith(f"<ul><li>{html.escape(text)}") is first


def test_what_got_worse_is_read_beside_the_differences(tmp_path: Path) -> None:
    """A lost example stands there with the question, the golden answer and both answers, the
    baseline left.
    """
    shown = body(compare(table(tmp_path, lost=3), baseline="old", candidate="new"))
    lost = shown.partition("po-lost")[2]
    assert "question 0" in lost
    assert lost.index("golden answer") < lost.index(">old<") < lost.index(">new<")
    assert shown.index("po-answer") < shown.index("po-lost") < shown.index("po-wide")


def test_the_baseline_is_left_of_the_candidate(tmp_path: Path) -> None:
    """In the table, whatever the order of the columns in the file."""
    shown = body(compare(table(tmp_path, lost=3), baseline="old", candidate="new"))
    head = shown.partition("<thead>")[2].partition("</thead>")[0]
    assert head.index(">old<") < head.index(">new<") < head.index("difference (90 % interval)")


def test_versions_do_not_wear_the_colours_of_better_and_worse() -> None:
    """No hue of a version is near the green of better or the vermilion of worse."""

    def shade(tint: str) -> tuple[float, float, float]:
        red, green, blue = (int(tint[at : at + 2], 16) / 255 for at in (1, 3, 5))
        return colorsys.rgb_to_hsv(red, green, blue)

    for tint in PALETTE:
        hue, saturation, _ = shade(tint)
        for meaning in (GOOD, BAD):
            apart = abs(hue - shade(meaning)[0])
            assert min(apart, 1 - apart) * 360 > 30 or saturation < 0.2, (tint, meaning)


def test_cost_is_for_a_thousand_answers() -> None:
    """In USD; unknown stays unknown."""
    assert cost_per_thousand(0.00025) == "$0.25"
    assert cost_per_thousand(None) == "unknown"
    assert cost_per_thousand(float("nan")) == "unknown"


def test_a_p_value_has_the_same_digits_in_the_card_the_table_and_the_sentence(
    tmp_path: Path,
) -> None:
    """Two views of one figure never differ: 21 of 30 is p = 0.02 in each."""
    comparison = compare(table(tmp_path, lost=9), baseline="old", candidate="new")
    assert "p = 0.02, one-sided" in comparison.statement()
    shown = body(comparison)
    assert "<b>p = 0.02</b>, one-sided" in shown
    assert re.search(r"data-label='p \(one-sided\)'>0\.02</td>", shown)


def test_what_nobody_scored_has_no_difference(tmp_path: Path) -> None:
    """A metric without a score shows "–" in the table and in Markdown, not a difference of 0, and
    is not drawn; of many metrics the first dozen are drawn and the rest counted.
    """
    silent = scorer(name="silent", version="1")(lambda output: None)
    more = [scorer(name=f"m{n:02}", version="1")(lambda output: len(output) / 9) for n in range(14)]
    lab = Lab(tmp_path, models={"m": ScriptedModel(lambda request: "yes")})
    prompt = lab.prompt("triage")
    versions = [prompt.save(f"{name} {{{{ticket}}}}", model="m") for name in "AB"]
    rows = [{"id": f"e{n}", "ticket": f"ticket {n}", "expected": "yes"} for n in range(12)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = lab.evaluate(versions, rows, [equals(), silent, *more]).wait()
    comparison = study.compare(candidate=versions[1], baseline=versions[0])
    shown = body(comparison)
    picture, _, table_ = shown.partition("<table")
    line = next(row for row in table_.split("<tr>") if "silent" in row)
    assert re.search(r"data-label='difference \(90 % interval\)'>–</td>", line)
    assert "silent" not in picture.partition("Difference ")[2]
    assert "3 more are in the table below." in picture
    (row,) = (each for each in comparison.markdown().splitlines() if each.startswith("| silent"))
    assert row.split(" | ")[3] == "–"
    lab.store.close()
