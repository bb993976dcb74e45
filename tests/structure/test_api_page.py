"""The page of the public names says what their docstrings say."""

from __future__ import annotations

import importlib

import pytest

from tests.structure import api_page


def test_the_page_is_that_of_the_docstrings() -> None:
    """`python -m tests.structure.api_page` writes it again where this fails."""
    assert api_page.PAGE.read_text(encoding="utf-8") == api_page.page()


@pytest.mark.parametrize("door", api_page.DOORS)
def test_every_public_name_has_a_heading_and_a_sentence(door: str) -> None:
    """None is missing, and none is empty."""
    text = api_page.PAGE.read_text(encoding="utf-8").split(f"\n## `{door}`\n")[1]
    text = text.split("\n## `")[0]
    for name in importlib.import_module(door).__all__:
        [_, rest] = text.split(f"\n### `{name}", 1)
        assert rest.split("\n### `")[0].split("\n", 1)[1].strip(), name


def test_the_page_is_the_same_in_every_folder() -> None:
    """No address of an object and no path of a machine."""
    found = api_page.page()
    assert str(api_page.PAGE.parents[2]) not in found
    assert " object at 0x" not in found
