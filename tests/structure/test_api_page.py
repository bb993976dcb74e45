"""The page of the public names says what their docstrings say."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.structure import api_page


def test_the_page_is_that_of_the_docstrings() -> None:
    """`python -m tests.structure.api_page` writes it again where this fails."""
    assert api_page.PAGE.read_text(encoding="utf-8") == api_page.page()


def test_help_makes_the_page_whatever_extra_is_installed() -> None:
    """The wheel does not hold it; no door is imported, and so nothing that a door needs."""
    code = (
        "import sys; from promptops.cli.__main__ import main; sys.argv[1:] = ['help', 'api']\n"
        "try: main()\n"
        "finally: assert not {'promptops.lab', 'promptops.scorers', 'numpy'} & set(sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == api_page.PAGE.read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("door", api_page.DOORS)
def test_every_public_name_has_a_heading_and_a_sentence(door: str) -> None:
    """None is missing, and none is empty."""
    text = api_page.PAGE.read_text(encoding="utf-8").split(f"\n## `{door}`\n")[1]
    text = text.split("\n## `")[0]
    for name in importlib.import_module(door).__all__:
        [_, rest] = text.split(f"\n### `{name}", 1)
        assert rest.split("\n### `")[0].split("\n", 1)[1].strip(), name


# Made by the package alone, or described by their attributes.
UNMADE = {
    *("BatchScorer", "Comparison", "Comparison.shown", "Entry", "JudgeReport", "JudgeRule"),
    *("Dataset.recorded", "Scorer", "Study"),
}


def undescribed() -> Iterator[str]:
    """Every name of the doors that takes two arguments or more, with those that its `Args:` do not
    name.
    """
    for name, value in api_page.doors():
        taken = api_page.parameters(value)
        if len(taken) < 2 or name in UNMADE:
            continue
        text = inspect.cleandoc(value.__doc__ or "")
        section = text.partition("Args:\n")[2].partition("\n\n")[0]
        named = set(re.findall(r"^    (\w[\w, *]*):", section, re.MULTILINE))
        words = {word for heads in named for word in heads.replace("*", "").split(", ")}
        yield from (f"{name}({each})" for each in taken if each not in words)


def test_what_takes_several_arguments_describes_each() -> None:
    """In `Args:`, for every function, method and class of the three doors."""
    assert list(undescribed()) == []


def test_the_page_is_the_same_in_every_folder() -> None:
    """No address of an object and no path of a machine."""
    found = api_page.page()
    assert str(api_page.PAGE.parents[2]) not in found
    assert " object at 0x" not in found
