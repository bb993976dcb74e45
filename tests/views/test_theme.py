"""One visual language: colours that read on light and dark ground, one colour a version, and chips
whose ink reads.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptops.views import theme
from promptops.views.folds import PAGE
from promptops.views.theme import (
    BAD,
    BY_SYSTEM,
    GOOD,
    NEUTRAL,
    ON_DARK,
    ON_LIGHT,
    PALETTE,
    STYLE,
    UNSURE,
    chip,
    colour,
    declared,
    in_text,
    ink,
    label_colour,
    page,
    style_figure,
)

# the grounds of JupyterLab's themes, of VS Code's and of our own pages
LIGHT = ("#ffffff", "#f6f8fa", "#eeeeee")
DARK = ("#111111", "#212121", "#1e1e1e", "#0d1117", "#161b22")


def luminance(tint: str) -> float:
    """WCAG 2's relative luminance."""
    shares = [int(tint[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tint", [GOOD, BAD, UNSURE, NEUTRAL])
@pytest.mark.parametrize("ground", [LIGHT[0], DARK[0]])
def test_words_in_colour_read_where_the_theme_is_unknown(tint: str, ground: str) -> None:
    """What is reported in colour has a contrast of 4 or more on white and on black alike."""
    assert contrast(tint, ground) >= 4.0


@pytest.mark.parametrize(("tints", "grounds"), [(ON_LIGHT, LIGHT), (ON_DARK, DARK)])
def test_words_in_colour_read_in_either_theme(
    tints: dict[str, str], grounds: tuple[str, ...]
) -> None:
    """A contrast of 4.5 (WCAG 2, AA) on the ground of the page and on that of a card or a code."""
    poor = [(name, ground) for name in tints for ground in grounds
            if contrast(tints[name], ground) < 4.5]  # fmt: skip
    assert poor == []


def test_the_style_has_both_themes_and_words_follow_them() -> None:
    """The colour of words is a variable with the readable one as its fallback; a chip's ground and
    a plotted mark keep theirs, since their ink was chosen for it.
    """
    assert in_text(GOOD) == f"var(--po-good,{GOOD})"
    assert in_text(PALETTE[0]) == PALETTE[0]
    for tints in (ON_LIGHT, ON_DARK):
        assert declared(tints) in STYLE
        assert declared(tints) in PAGE
    views = Path(theme.__file__).parent
    literal = re.compile(r"(?:[ ';]color|--po-accent):\{(?:GOOD|BAD|UNSURE|NEUTRAL|tint)\}")
    assert [path.name for path in views.glob("*.py") if literal.search(path.read_text())] == []


@pytest.mark.parametrize("tint", PALETTE)
def test_a_chip_reads_on_its_own_colour(tint: str) -> None:
    """The ink on a version's colour is black or white, whichever reads: contrast 3 or more for its
    bold text.
    """
    shown = {"#000": "#000000", "#fff": "#ffffff"}[ink(tint)]
    assert contrast(tint, shown) >= 3.0


def test_a_version_has_one_colour_everywhere() -> None:
    """By number if it has one, by place where it has none; the palette goes round."""
    assert [label_colour("v3", 0), label_colour("v3 gpt", 5)] == [colour(3), colour(3)]
    assert label_colour("imported", 1) == colour(2)
    assert colour(len(PALETTE) + 1) == colour(1)
    assert colour(None) == NEUTRAL


def test_labels_are_text() -> None:
    """A label that looks like markup is shown, not obeyed."""
    assert "<img" not in page(chip("<img src=x onerror=1>", GOOD))


def test_the_arrow_of_a_drop_down_reads_on_a_dark_page() -> None:
    """ipywidgets draws it in black wherever nobody says otherwise."""
    ground = re.search(r"--jp-widgets-input-background-color:(#\w+)", BY_SYSTEM)
    arrow = re.search(r"--jp-widgets-dropdown-arrow:url\(\"[^\"]*stroke='%23(\w{6})'", BY_SYSTEM)
    assert ground is not None
    assert arrow is not None
    assert contrast(f"#{arrow[1]}", ground[1]) >= 4.5


@pytest.mark.parametrize("ground", [LIGHT[0], DARK[0]])
def test_a_plotly_figure_reads_in_either_theme(ground: str) -> None:
    """Its ground is the page's, whose theme it is not told, so its words read on both."""
    import plotly.graph_objects as go

    layout = style_figure(go.Figure(), title="what it shows").layout
    assert layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert contrast(layout.font.color, ground) >= 4.0
