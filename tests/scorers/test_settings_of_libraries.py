"""Settings in an object of a library's own class, which a later cell edits, count as such."""

from __future__ import annotations

import time
from typing import Any

import pytest

from promptops.scorers import as_scorer, scorer

LIBRARYS = {
    "a parser": (
        "configparser.ConfigParser(); held['a'] = {'x': '0'}",
        "held['a']['x'] = '1'",
    ),
    "a namespace of a command": ("argparse.Namespace(x=0)", "held.x = 1"),
    "a map": ("collections.UserDict(x=0)", "held['x'] = 1"),
    "maps": ("collections.ChainMap({'x': 0}, {})", "held['x'] = 1"),
    "numbers": ("array.array('d', [0.0])", "held[0] = 1.0"),
    "a tree": ("xml.etree.ElementTree.Element('a', x='0')", "held.set('x', '1')"),
    "a class with slots": ("decimal.Context(prec=3)", "held.prec = 4"),
    "an object with a lock": ("queue.Queue(maxsize=9)", "held.maxsize = 10"),
    "a parser of one's own class": ("Own(); held['a'] = {'x': '0'}", "held['a']['x'] = '1'"),
}
USING = """
import argparse, array, collections, configparser, decimal, queue, xml.etree.ElementTree
class Own(configparser.ConfigParser):
    pass
held = {value}
def judge(output):
    return bool(repr(held))
"""


@pytest.mark.parametrize("what", LIBRARYS)
@pytest.mark.parametrize("decorated", [True, False])
def test_settings_in_a_librarys_object_that_are_edited_are_another_version(
    what: str, decorated: bool
) -> None:
    value, edit = LIBRARYS[what]
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(USING.replace("{value}", value), space)
    made = scorer(space["judge"]) if decorated else space["judge"]
    before = as_scorer(made).version
    for _ in range(5):
        as_scorer(made)("yes")  # type: ignore[operator]
    assert as_scorer(made).version == before
    exec(edit, space)
    after_it = as_scorer(made).version
    assert after_it != before
    as_scorer(made)("yes")  # type: ignore[operator]
    assert as_scorer(made).version == after_it


def test_an_edit_while_a_quick_scorer_works_is_another_version() -> None:
    """Only some of its calls are looked at, so that an edit is not taken for its own memo."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(USING.replace("{value}", LIBRARYS["a map"][0]), space)
    made = scorer(space["judge"])
    before = as_scorer(made)
    for at in range(100):
        made("yes")
        if at == 70:
            space["held"]["x"] = 1
    assert as_scorer(made).version != before.version


def test_what_changes_in_any_call_of_a_slow_judge_is_its_own() -> None:
    """Its judgements may be paid for, and a token that is fetched once an hour is no edit."""
    space: dict[str, Any] = {"__name__": "__main__", "time": time}
    text = "    time.sleep(0.02)\n    if output == 'late':\n        held['x'] = 1\n"
    exec(USING.replace("{value}", LIBRARYS["a map"][0]), space)
    exec(f"def judge(output):\n{text}    return bool(held)", space)
    made = scorer(space["judge"])
    before = as_scorer(made).version
    for output in ["yes"] * 6 + ["late"] * 1 + ["yes"] * 2:
        made(output)
    assert as_scorer(made).version == before


def test_the_same_settings_are_the_same_version_in_another_kernel() -> None:
    """Whether they were edited or written so."""
    versions = []
    for first, edit in (("0", "held['a']['x'] = '1'"), ("1", "")):
        space: dict[str, Any] = {"__name__": "__main__"}
        value = f"configparser.ConfigParser(); held['a'] = {{'x': '{first}'}}"
        exec(USING.replace("{value}", value), space)
        made = scorer(space["judge"])
        as_scorer(made)("yes")  # type: ignore[operator]
        exec(edit, space)
        versions.append(as_scorer(made).version)
    assert versions[0] == versions[1]


def test_what_is_too_large_to_be_copied_each_time_is_known_by_which_one_it_is() -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(USING.replace("{value}", "collections.UserDict(x=bytes(9_000_000))"), space)
    space["judge"] = eval("lambda output: 'x' in held", space)
    made = scorer(name="large")(space["judge"])
    before = as_scorer(made).version
    began = time.process_time()
    for _ in range(100):
        assert as_scorer(made).version == before
    assert time.process_time() - began < 1.0
