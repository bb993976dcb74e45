"""Tables and pictures at any width: names are whole, every cell says its column, many versions go
on below; nothing of the data is markup.
"""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.views import svg
from promptops.views.folds import chosen, flip, listed
from promptops.views.grid import GridColumn, breaking, grid, measures

LONG = "a_measure_with_a_name_that_goes_on_and_on_until_it_is_wider_than_any_column(expected.category)>=0.95"


@given(st.text(max_size=200))
def test_a_folded_name_is_whole(name: str) -> None:
    """Lines of a name joined again have every character of it but blanks, and none is too long."""
    lines = svg.folded(name, 36)
    assert "".join("".join(lines).split()) == "".join(name.split())
    assert all(len(line) <= 36 for line in lines)


@given(st.text(max_size=80))
def test_a_breaking_name_is_the_name(name: str) -> None:
    """Without the places where it may break it is the escaped name."""
    from promptops.markup import esc

    assert breaking(name).replace("<wbr>", "") == esc(name)


def test_a_cell_names_its_column_and_data_is_no_markup() -> None:
    """Where the table becomes blocks each value is beside the name of its column."""
    made = grid(
        ["measure", GridColumn("<b>v1</b>", number=True)],
        [("x", "1 %"), ("y", "2 %")],
        caption="'><script>",
    )
    assert made.count("data-label='&lt;b&gt;v1&lt;/b&gt;'") == 2
    assert "<b>" not in made
    assert "<script" not in made
    with pytest.raises(ValueError, match="zip"):
        grid(["one"], [("x", "too many")])


@pytest.mark.parametrize(("n", "tables"), [(1, 1), (6, 1), (7, 2), (13, 3)])
def test_many_versions_go_on_below(n: int, tables: int) -> None:
    """Six abreast; every version and every cell once."""
    made = measures(
        [GridColumn(f"v{i}", number=True) for i in range(n)],
        [("m", [f"cell{i}." for i in range(n)])],
    )
    assert made.count("<table") == tables
    assert [made.count(f">cell{i}.<") for i in range(n)] == [1] * n


def test_a_forest_has_its_names_whole_and_its_numbers_in_words() -> None:
    """A name of a hundred characters is there, folded, and the picture's text says name and
    figure of each row.
    """
    made = svg.forest(
        [svg.ForestRow(LONG, -3.0, -5.0, -1.0, 2.0, "−3.0 (−5.0 to −1.0)", primary=True)],
        title="v2 is worse",
        left="v1",
        right="v2",
    )
    said = re.search(r"aria-label='([^']*)'", made)
    assert said is not None
    assert LONG.replace(">", "&gt;") in said[1]
    assert "−3.0 (−5.0 to −1.0)" in said[1]
    shown = "".join(re.findall(r"<text[^>]*>([^<]*)</text>", made))
    assert LONG.replace(">", "&gt;") in shown
    assert "…" not in made


def test_differences_of_shares_have_an_axis_of_at_most_a_hundred_points() -> None:
    """From one end of the scale to the other there are 100 points, and the axis says no more."""
    made = svg.forest(
        [svg.ForestRow("m", 100.0, 98.0, 100.0, None, "")], title="all of them", left="a", right="b"
    )
    assert ">+100<" in made
    assert ">+120<" not in made


def test_labels_of_points_do_not_lie_on_each_other() -> None:
    """Eight versions of like quality and cost: their names are at least a line apart."""
    points = [
        svg.Point(f"version {i}", 1.0, 0.8 + i / 1000, None, None, "#000000") for i in range(8)
    ]
    made = svg.scatter(points, title="t", x_axis="USD", y_axis="score")
    heights = sorted(float(y) for y in re.findall(r"y='([\d.]+)'[^>]*>version \d<", made))
    assert len(heights) == 8
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 14.9


def test_labels_of_many_points_overlap_nowhere_and_stay_in_the_picture() -> None:
    """Two dozen candidates in a cloud: those of the front are named first, and a name that has no
    place is left to its point's title.
    """
    chance = random.Random(3)
    points = [
        svg.Point(
            f"candidate {i}", 200 + 100 * chance.random(), 0.5 + chance.random() / 4,
            None, None, "#000000", front=i < 4,
        )
        for i in range(24)
    ]  # fmt: skip
    made = svg.scatter(points, title="t", x_axis="tokens", y_axis="score")
    found = re.findall(
        r"<text x='([\d.]+)' y='([\d.]+)' text-anchor='(end|start)'[^>]*>(candidate \d+)<", made
    )
    boxes = [
        (float(x) - 62 * (side == "end"), float(y), float(x) + 62 * (side == "start"), name)
        for x, y, side, name in found
    ]
    assert {name for *_, name in boxes} >= {f"candidate {i}" for i in range(4)}
    assert len(boxes) >= 12
    for left, y, right, _ in boxes:
        assert left >= 0
        assert right <= svg.WIDTH
        assert 0 <= y <= 250
    for a, b in itertools.combinations(boxes, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or abs(a[1] - b[1]) >= 14.9
        assert apart, (a, b)
    assert all(f"<title>candidate {i}</title>" in made for i in range(24))


def test_losses_come_first_and_wins_are_folded() -> None:
    """All losses before any win; ten wins before the fold, the others in it; three losses stand
    open.
    """
    lost = [flip(f"l{i}", "asked", "<p>b</p>", gain=-1.0, opened=i < 3) for i in range(25)]
    won = [flip(f"w{i}", "<img src=x>", "<p>b</p>", gain=1.0) for i in range(30)]
    made = listed(lost, won)
    assert made.index("l24") < made.index("w0")
    assert made.count("<details class='more'>") == 2
    assert "5 more that got worse" in made
    assert "20 more that got better" in made
    assert made.index("w9") < made.index("20 more that got better") < made.index("w10")
    assert made.count(" open>") == 3
    assert "<img" not in made


@pytest.mark.parametrize(
    ("losses", "wins", "kept"),
    [
        (3, 5, (3, 5)),
        (0, 900, (0, 400)),
        (900, 0, (400, 0)),
        (900, 900, (300, 100)),
        (350, 900, (300, 100)),
    ],
)
def test_a_report_has_losses_first_but_wins_too(
    losses: int, wins: int, kept: tuple[int, int]
) -> None:
    """At most 400, the biggest of each; wins have a quarter where there are too many of both."""
    flips: list[Any] = [(f"l{i}", -1.0 - i) for i in range(losses)] + [
        (f"w{i}", 1.0 + i) for i in range(wins)
    ]
    found = chosen(flips, 400)
    assert (sum(gain < 0 for _, gain in found), sum(gain > 0 for _, gain in found)) == kept
    if losses:
        assert found[0][1] == -1.0 - (losses - 1)
