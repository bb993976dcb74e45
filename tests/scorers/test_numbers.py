"""The number that an answer comes to, whatever prose, signs and currency stand around it; GSM8K as
recorded.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import ScorerError
from promptops.scorers import number_close, try_out
from promptops.scorers.decimal_comma import with_points
from promptops.scorers.numbers import final_number
from tests.quick import quick

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gsm8k_openai"

FOUND = [
    ("The answer is $1,234.50.", 1234.5),
    ("16 - 3 - 4 = 9", 9),
    ("A: 26", 26),
    ("so\n#### 72", 72),
    ("Answer: **42**", 42),
    ("\\boxed{-17}", -17),
    ("It is \\boxed{\\frac{3}{4}}.", 0.75),
    ("The answer is 5 + 7 = 12, since 5 comes first.", 12),
    ("The final answer is 18. She had 16 eggs and 3 hens.", 18),
    ("-5", -5),
    ("$-5", -5),
    ("-$5", -5),
    ("\u22127 degrees", -7),
    ("x = 16 - 3", 3),
    ("5-3", 3),
    ("3/4 of it", 0.75),
    ("about 1.5 million", 1.5e6),
    ("2 billion people", 2e9),
    ("25%", 25),
    ("1e3", 1000),
    (" .5 ", 0.5),
    ("costs 5.", 5),
    ("1,2,3", 3),
    ("(3)", 3),
    ("12,50", 12.5),
    ("0,850 kg", 0.85),
    ("-3,5 \u20ac", -3.5),
    ("1.234,50", 1234.5),
    ("1 234,50", 1234.5),
    ("1\u202f234,5", 1234.5),
    ("1'234.50", 1234.5),
    ("1.234.567", 1_234_567),
    ("3,14159", 3.14159),
    ("12,5 million", 12.5e6),
    ("1,234", 1234),
    ("1.234", 1.234),
    ("1,234,567.5", 1_234_567.5),
    ("from 3, 4 and 5,6,7", 7),
    ("March 12,2024", 2024),
    ("no number", None),
    ("", None),
    ("1" * 5_000, None),
    ("1e400", None),
    ("NaN", None),
    ("1/0", None),
    ("\u06f5", None),  # digits of other scripts are left aside
    ("The answer is: twelve. Of 12 eggs", 12),  # no number after the marker: the last one
]


@pytest.mark.parametrize(("text", "number"), FOUND)
def test_final_number(text: str, number: float | None) -> None:
    """The number is read as documented; None if there is none that is finite."""
    assert final_number(text) == (None if number is None else pytest.approx(number))


TABLE = [
    (number_close(), "The answer is 4.", 4, True),
    (number_close(), "The answer is 4.0", "4", True),
    (number_close(), "1,000", "1,000 dollars", True),
    (number_close(), "4.1", 4, False),
    (number_close(), "90,50", "10,50", False),
    (number_close(), "10.5", "10,50", True),
    (number_close(within=0.2), "4.1", 4, True),
    (number_close(relative=0.05), "104", 100, True),
    (number_close(relative=0.05), "106", 100, False),
    (number_close(after="Total:"), "Total: 7, paid 3", 7, True),
    (number_close(), "none", 7, False),
    (number_close(), "0.1", 0.1, True),
]


@pytest.mark.parametrize(("scorer", "output", "expected", "passes"), TABLE)
def test_number_close(scorer: Any, output: str, expected: Any, passes: bool) -> None:
    """Numbers are compared with the tolerance, never by their spelling; the measure is the
    number.
    """
    found = try_out(scorer, output, expected=expected)
    assert not isinstance(found, list)
    assert found.passed is passes
    assert found.raw_value == final_number(output) or scorer.name != "number_close(expected)"


@pytest.mark.parametrize("golden", ["many", True, float("nan"), float("inf"), [1], {}, 10**400])
def test_a_golden_value_without_a_number_is_unscored(golden: Any) -> None:
    """A row whose golden value is not a finite number is named, not failed."""
    found = try_out(number_close(), "4", expected=golden)
    assert not isinstance(found, list)
    assert (
        found.unscored == "missing number: example 'tried' has no number in the column 'expected'"
    )


@pytest.mark.parametrize(
    "build",
    [
        lambda: number_close(within=-1),
        lambda: number_close(relative=float("nan")),
        lambda: number_close(after=" "),
    ],
)
def test_wrong_arguments(build: Any) -> None:
    """Tolerances are finite numbers from 0, a marker is not empty."""
    with pytest.raises(ScorerError):
        build()


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from(["{}", "It is {}.", "The answer is {}, I think", "a\nb {}\n"]),
)
def test_reads_any_float(value: float, form: str) -> None:
    """Any finite number is found in prose around it."""
    assert final_number(form.format(value)) == pytest.approx(value, rel=1e-12)


@given(st.text())
def test_any_text(text: str) -> None:
    """No text raises, and what is found is finite."""
    found = final_number(text)
    assert found is None or abs(found) < float("inf")


@pytest.mark.parametrize(
    "text",
    [
        "1 " * 5_000_000,
        "1" * 10_000_000,
        "a " * 5_000_000,
        "answer is " * 1_000_000,
        "1," * 5_000_000,
        "1/" * 5_000_000,
    ],
)
def test_long_texts(text: str) -> None:
    """10 MB of anything take a moment."""
    with quick(10):
        final_number(text)


@pytest.mark.skipif(
    not DATA.exists(), reason="the recorded outputs of GSM8K are not beside the repository"
)
def test_gsm8k() -> None:
    """number_close agrees with all 5,276 recorded verdicts, on four versions, outputs that break
    off included.
    """
    golden = {
        row["id"]: row["expected"]
        for row in map(json.loads, (DATA / "dataset.jsonl").read_text("utf-8").splitlines())
    }
    scorer = number_close()
    counted = 0
    disagree = []
    for row in map(json.loads, (DATA / "outputs.jsonl").read_text("utf-8").splitlines()):
        found = try_out(scorer, row["output"], expected=golden[row["example_id"]])
        assert not isinstance(found, list)
        counted += 1
        if found.passed is not row["recorded_is_correct"]:
            disagree.append((row["example_id"], row["version"]))
    assert counted == 5276
    assert disagree == []


@pytest.mark.parametrize("bullet", ["- ", "  - ", "\u2013 ", "\u2212 ", "text:\n- first\n- "])
def test_a_bullet_is_no_minus(bullet: str) -> None:
    """The item of a list is the number itself; a sign that touches its number stays one."""
    assert try_out(number_close(), f"{bullet}42", expected=42).value == 1.0
    assert try_out(number_close(), f"{bullet}-42", expected=-42).value == 1.0
    assert try_out(number_close(), "It is - 42", expected=-42).value == 1.0


@pytest.mark.parametrize("unit", ["123 ", "89\u202f4", "1.234 ", "12'345'"])
def test_a_long_row_of_thousands_takes_linear_time(unit: str) -> None:
    """Begun again at each mark, 20 kB of these took half a second of every thread."""
    text = unit * (200_000 // len(unit)) + ", so 12,50"
    began = time.thread_time()
    assert with_points(text).endswith("12.50")
    assert time.thread_time() - began < 2
