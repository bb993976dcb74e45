"""One visual language: colours that read on light and dark ground, one colour a version, and chips
whose ink reads.
"""

from __future__ import annotations

import pytest

from promptops.views.theme import (
    BAD,
    GOOD,
    NEUTRAL,
    PALETTE,
    UNSURE,
    chip,
    colour,
    ink,
    label_colour,
    page,
)

LIGHT, DARK = "#ffffff", "#111111"  # the grounds of JupyterLab's themes


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
@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_words_in_colour_read_on_either_ground(tint: str, ground: str) -> None:
    """What is reported in colour has a contrast of 4 or more in both themes."""
    assert contrast(tint, ground) >= 4.0


@pytest.mark.parametrize("tint", PALETTE)
def test_a_chip_reads_on_its_own_colour(tint: str) -> None:
    """The ink on a version's colour is black or white, whichever reads: contrast 3 or more for its
    bold text.
    """
    shown = {"#000": "#000000", "#fff": "#ffffff"}[ink(tint)]
    assert contrast(tint, shown) >= 3.0


def test_a_version_has_one_colour_everywhere() -> None:
    """By number where it has one, by place where it has none; the palette goes round."""
    assert [label_colour("v3", 0), label_colour("v3 gpt", 5)] == [colour(3), colour(3)]
    assert label_colour("imported", 1) == colour(2)
    assert colour(len(PALETTE) + 1) == colour(1)
    assert colour(None) == NEUTRAL


def test_labels_are_text() -> None:
    """A label that looks like markup is shown, not obeyed."""
    assert "<img" not in page(chip("<img src=x onerror=1>", GOOD))
