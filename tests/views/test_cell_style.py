"""The style sheet of cells: every class that a view writes has a rule, every colour of a theme is
in both, and the text of others keeps its direction to itself.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptops.views import theme
from promptops.views.folds import PAGE
from promptops.views.theme import ON_DARK, ON_LIGHT, STYLE

VIEWS = Path(theme.__file__).parent
SOURCE = {path.name: path.read_text(encoding="utf-8") for path in sorted(VIEWS.glob("*.py"))}
SCRIPTS = "".join(
    path.read_text(encoding="utf-8") for path in sorted((VIEWS / "static").glob("*.js"))
)
EVERYTHING = "".join(SOURCE.values()) + SCRIPTS
SET_INLINE = {"--po-accent", "--po-cut"}  # by the element that uses them


def rules(sheet: str) -> dict[str, str]:
    """Selector -> its declarations, of the rules outside @media and @container."""
    flat = re.sub(r"@[^{}]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", re.sub(r"</?style>", "", sheet))
    found: dict[str, str] = {}
    for selector, declarations in re.findall(r"([^{}]+)\{([^{}]*)\}", flat):
        found[selector.strip()] = found.get(selector.strip(), "") + ";" + declarations.strip()
    return found


def test_both_themes_have_the_same_variables_and_each_one_that_is_used() -> None:
    assert ON_LIGHT.keys() == ON_DARK.keys()
    used = set(re.findall(r"var\((--po-[a-z-]+)", STYLE + PAGE + EVERYTHING))
    assert used - SET_INLINE <= {f"--po-{name}" for name in ON_LIGHT}
    assert used >= {"--po-accent", "--po-cut"}
    for name in SET_INLINE:
        assert re.search(rf"[';\"]{name}:", EVERYTHING), name


def test_a_variable_of_jupyterlab_has_a_fallback_and_our_dark_page_sets_it() -> None:
    """Elsewhere than in JupyterLab nobody sets them, and the fallback is for a light ground."""
    used = set(re.findall(r"var\((--jp-[a-z0-9-]+),", STYLE))
    assert re.findall(r"var\((--jp-[a-z0-9-]+)\)", STYLE + EVERYTHING) == []
    dark = PAGE.partition("@media(prefers-color-scheme:dark)")[2].partition("@media")[0]
    assert used == set(re.findall(r"(--jp-[a-z0-9-]+):", dark))


def written_classes() -> set[str]:
    """Every class that a view's markup names, without those that are filled in."""
    found: set[str] = set()
    for names in re.findall(r"class=(?:'|\\?\")([^'\"\\]*)", "".join(SOURCE.values())):
        found.update(re.findall(r"(?<![\w{}.-])[a-z][\w-]*(?![\w{}.(-])", names))
    return found


def test_every_class_of_a_view_has_a_rule() -> None:
    classes = written_classes()
    assert {"card", "chip", "dim", "ci", "po-cols", "po-fig", "po-answer"} <= classes
    sheets = "".join(re.findall(r"<style>.*?</style>", "".join(SOURCE.values()), re.DOTALL))
    defined = set(re.findall(r"\.([a-z][\w-]*)", STYLE + PAGE + sheets))
    assert sorted(classes - defined) == []


@pytest.mark.parametrize("element", ["td", "th", "code", "b", ".chip"])
def test_the_text_of_others_in_a_cell_is_isolated(element: str) -> None:
    """A Hebrew or Arabic label does not turn round the figures beside it."""
    isolating = [s for s, d in rules(STYLE).items() if "unicode-bidi:isolate" in d]
    elements = {each for s in isolating for each in re.sub(r"\.po :is\(|\)", "", s).split(",")}
    assert element in elements


def test_a_quoted_text_goes_by_its_own_first_letter() -> None:
    """An answer in Arabic begins at the right, beside one in English that begins at the left."""
    declared = rules(STYLE)[".po pre"]
    assert "unicode-bidi:plaintext" in declared
    assert "text-align:start" in declared
