"""Which scorer fits a table of answers: guessed from the golden answers and named in the verdict,
so that a wrong guess is seen at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ..analysis import words
from ..dataset import Dataset
from ..errors import StudyError
from ..markup import shorten
from ..scorers.case import Scorer
from ..scorers.regression import normalised

__all__ = ["as_scores", "guessed"]

_MOST = 0.9  # share of the golden answers that must look alike
_MOST_LABELS = 200  # golden answers among which labels within labels are looked for
_MOST_DIGITS = 9
_FEW = 50  # one answer in so many may hold its golden one as part of another word
_WORDS = {"true": 1.0, "false": 0.0}


def as_scores(cells: Sequence[object]) -> list[float | None] | None:
    """The cells as scores in [0, 1], also when a text file holds them as text; None if they are
    answers.
    """
    found = [None if cell is None else _score(cell) for cell in cells]
    known = [value for value in found if value is not None]
    if not known or len(known) < sum(cell is not None for cell in cells):
        return None
    return found if all(0 <= value <= 1 for value in known) else None


def _score(cell: object) -> float | None:
    if isinstance(cell, str):
        text = cell.strip().lower()
        if text in _WORDS:
            return _WORDS[text]
        try:
            return float(text)
        except ValueError:
            return None
    return float(cell) if isinstance(cell, (bool, int, float)) else None


def guessed(dataset: Dataset, answered: Sequence[tuple[object, object]]) -> tuple[Scorer, str]:
    """(a scorer that fits the golden answers, why).

    answered: (an answer, the golden answer of its row), of every arm.
    Raises StudyError if nothing says what a good answer is.
    """
    from .. import scorers

    texts = [_text(example.expected) for example in dataset if example.expected is not None]
    answers = [_text(cell) for cell, _ in answered if cell is not None]
    if not texts:
        raise StudyError(_nothing(answers))
    if _admissible(dataset, answers):
        if _wrapped(answered):
            members = [one for example in dataset for one in _members(example.expected)]
            within = _told_apart([_text(one) for one in members if one is not None], answered)
            return (
                scorers.contains(column="expected"),
                "the golden answers are lists of which any is right, and some answers contain one"
                f" within a sentence{within}",
            )
        return scorers.exact(), "the golden answers are lists of which any is right"
    if _share(texts, _is_letter):
        letters = "".join(sorted({text.strip(" ().").upper() for text in texts} | set("ABCD")))
        return scorers.choice(letters), "the golden answers are letters of a choice"
    if _share(texts, _is_number) and not any(map(_is_identifier, texts)):
        if any(map(_is_long, texts)):
            return scorers.number_close(relative=0), "the golden answers are long numbers"
        return scorers.number_close(), "the golden answers are numbers"
    if _share(texts, lambda text: text.lstrip()[:1] in ("{", "[")):
        if any(_within(text) for text in answers):
            return (
                scorers.after(scorers.extract_json, scorers.json_equals()),
                "the golden answers are JSON, and some answers have it within other text",
            )
        return scorers.json_equals(), "the golden answers are JSON"
    if sorted(len(text.split()) for text in texts)[len(texts) // 2] > 4:
        return scorers.similar_to(at_least=0.8), "the golden answers are texts"
    return _for_short(texts, answers, answered)


def _for_short(
    texts: Sequence[str], answers: Sequence[str], answered: Sequence[tuple[object, object]]
) -> tuple[Scorer, str]:
    """The scorer that fits short golden answers, and why."""
    from .. import scorers

    alike = labels_alike(texts)
    if alike is not None:
        one, other = map(repr, alike)
        return (
            scorers.equals(ignore_case=True),
            f"the golden answers are short, and {one} and {other} differ in marks or articles only",
        )
    if _wrapped(answered):
        return (
            scorers.contains(column="expected"),
            "some answers contain the golden one within a sentence" + _told_apart(texts, answered),
        )
    if sum(len(answer.split()) > 12 for answer in answers) > len(answers) / 4:  # most of one arm
        return (
            scorers.contains(column="expected"),
            "the golden answers are short and the answers long" + _told_apart(texts, answered),
        )
    return scorers.exact(), f"the golden answers are short{_called_wrong(answered)}"


def _admissible(dataset: Dataset, answers: Sequence[str]) -> bool:
    """Whether golden answers are lists of admissible answers: some are lists, none is an object,
    and few of the answers hold JSON.
    """
    wanted = [example.expected for example in dataset if example.expected is not None]
    lists = any(isinstance(one, (list, tuple)) for one in wanted)
    plain = all(isinstance(member, (str, int, float)) for one in wanted for member in _members(one))
    listed = sum("[" in answer or "{" in answer for answer in answers)
    return lists and plain and listed * 2 < len(answers)


def _members(wanted: object) -> list[object]:
    """The admissible answers of a row."""
    return list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]


def _wrapped(answered: Sequence[tuple[object, object]]) -> bool:
    """Whether a fifth of the answers are the golden answer with other words around it: exact match
    would call all of those wrong, which is a fact about the scorer and not about the answers.

    answered: (an answer, the golden answer of its row).
    """
    both = sum(answer is not None and wanted is not None for answer, wanted in answered)
    return bool(both) and _inside(answered) * 5 >= both


def _called_wrong(answered: Sequence[tuple[object, object]]) -> str:
    """What exact match calls wrong though the golden answer is in it; "" if nothing is."""
    inside = _inside(answered)
    if not inside:
        return ""
    return (
        f"; {words.count(inside, 'answer')} with the golden one within other words"
        f" {'counts' if inside == 1 else 'count'} as wrong, which contains(column='expected')"
        " would call right"
    )


def _inside(answered: Sequence[tuple[object, object]]) -> int:
    """How many answers are the golden answer with other words around it."""
    inside = 0
    for answer, wanted in answered:
        if answer is None or wanted is None:
            continue
        text = _text(answer).casefold().strip()
        golden = [_text(one).casefold().strip() for one in _members(wanted)]
        inside += any(one and _has(text, one) for one in golden)
    return inside


def _within(answer: str) -> bool:
    """Whether an answer has a bracket of JSON after other text, a fence or a sentence."""
    text = answer.strip()
    return text[:1] not in ("{", "[") and ("{" in text or "[" in text)


def _has(answer: str, wanted: str) -> bool:
    """Whether the golden answer is in the answer as words of its own, beside other words."""
    if len(re.findall(r"\w+", answer)) <= len(re.findall(r"\w+", wanted)):
        return False
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", answer) is not None


def _nothing(answers: Sequence[str]) -> str:
    if answers and all(_is_number(answer) for answer in answers):
        return (
            "the two columns hold numbers outside 0 to 1; as scores they must lie in [0, 1], higher"
            " is better: rescale them (or name the golden answers with expected=)."
        )
    return (
        'nothing says what a good answer is: name the golden answers with expected="column", or'
        " pass scorer=..."
    )


def _share(texts: Sequence[str], holds: Any) -> bool:
    return bool(sum(map(holds, texts)) >= _MOST * len(texts))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def labels_alike(texts: Sequence[str]) -> tuple[str, str] | None:
    """Two golden answers that `exact` takes for one, since only marks or articles tell them apart
    ("AA+" and "AA-", "C" and "C#"), or one of which it leaves nothing, beside that; None if there
    are none.
    """
    met: dict[str, str] = {"": ""}
    for text in dict.fromkeys(text.casefold().strip() for text in texts):
        known = met.setdefault(normalised(text), text)
        if text and known != text and _core(known) != _core(text):
            return known, text
    return None


def _core(text: str) -> str:
    """A text without the marks that end a sentence or quote it."""
    return text.strip(" .,;:!?\"'`*_")


def _told_apart(texts: Sequence[str], answered: Sequence[tuple[object, object]]) -> str:
    """How many answers hold their golden one only as part of another label or word, as the end of a
    sentence; "" if none does. "incorrect" is not "correct", though it contains it.

    Raises StudyError if more than one answer in fifty does: what contains them does not judge.
    """
    labels = dict.fromkeys(text.casefold().strip() for text in texts)
    longer = sorted(labels, key=len, reverse=True)[:_MOST_LABELS]
    within = []
    for answer, wanted in answered:
        if answer is None or wanted is None:
            continue
        text = _text(answer).casefold()
        held = [one for one in (_text(each).casefold().strip() for each in _members(wanted)) if one]
        held = [one for one in held if one in text]
        if held and not any(_stands_alone(text, one, longer) for one in held):
            within.append((held[0], _text(answer)))
    if not within:
        return ""
    one, answer = within[0]
    first = f"{one!r} in {shorten(answer, 60)!r}"
    if len(within) * _FEW > len(answered):
        raise StudyError(
            f"{words.count(len(within), 'answer')} of {len(answered):,} with the golden one only as"
            f" part of another word or label (first: {first}), and answers are sentences: name what"
            " tells them apart, as in scorer=exact() for answers that are the label alone, or pass"
            " a function of your own."
        )
    one_alone = len(within) == 1
    return (
        f"; {words.count(len(within), 'answer')} of {len(answered):,}"
        f" {'holds' if one_alone else 'hold'} it only as part of another word or label (first:"
        f" {first}), and {'counts' if one_alone else 'count'} as right"
    )


def _stands_alone(text: str, one: str, longer: Sequence[str]) -> bool:
    """Whether a golden answer is somewhere in a text outside a longer label and outside a word."""
    for label in longer:
        if len(label) > len(one) and one in label:
            text = text.replace(label, "\0")
    edges = (r"(?<!\w)" if one[0].isalnum() else "", r"(?!\w)" if one[-1].isalnum() else "")
    if not one.isascii():  # scripts that write no spaces between words
        edges = ("", "")
    return re.search(f"{edges[0]}{re.escape(one)}{edges[1]}", text) is not None


def _is_identifier(text: str) -> bool:
    """Digits that begin with 0 (a postcode, an account): a text, though it reads as a number."""
    digits = text.strip()
    return len(digits) > 1 and digits.isdigit() and digits[0] == "0"


def _is_long(text: str) -> bool:
    """A whole number of so many digits that the last ones are within a relative tolerance."""
    return len(re.sub(r"[\s,.']", "", text)) > _MOST_DIGITS and "e" not in text.casefold()


def _is_letter(text: str) -> bool:
    core = text.strip(" ().")
    return len(core) == 1 and core.isascii() and core.isalpha()


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").strip().lstrip("$€£").rstrip("%"))
    except ValueError:
        return False
    return True
