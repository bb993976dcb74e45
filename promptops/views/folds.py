"""Changed examples on a page of their own: losses first, some wins, the rest in folds that open
without a script.

What is folded is in the file all the same, is found by the page's search, and is named on paper
if it is not printed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis import words
from ..markup import esc, shorten
from .theme import BAD, GOOD, ON_DARK, ON_LIGHT, declared, in_text

__all__ = ["PAGE", "chosen", "flip", "listed", "opened"]

_LOST, _WON = 20, 10  # shown before a fold
_OPEN = 3  # losses that are shown open

# the look of a page of its own, around theme.STYLE
PAGE = """<style>
body{margin:0;background:#fff;color:#1f2328;ON_LIGHT}
main{max-width:1240px;margin:0 auto;padding:26px 22px 60px}
.po{max-width:none}.po h1{font-size:22px;margin:0 0 4px;line-height:1.25}
.po h2{font-size:17px;margin:26px 0 6px;border-bottom:1px solid #d8dee4;padding-bottom:4px}
.flip{border:1px solid #d8dee4;border-radius:6px;padding:0 12px;margin:6px 0}
.flip>summary{padding:6px 0}.flip>div{padding-bottom:10px}.flip pre{max-height:240px}
.more{margin:8px 0}.more>summary{font-weight:600}.paper{display:none}
.two{display:grid;grid-template-columns:1fr 1fr;gap:12px}.two>div{min-width:0}
@media(max-width:700px){.two{grid-template-columns:1fr}main{padding:16px 12px 40px}}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#d7dbe0;ON_DARK;
  --jp-ui-font-color1:#d7dbe0;--jp-ui-font-color2:#9aa4af;--jp-border-color2:#3b424b;
  --jp-layout-color2:#161b22}.flip,.po h2{border-color:#3b424b}}
@media print{body{background:#fff;color:#000;ON_LIGHT;--jp-ui-font-color1:#000;
  --jp-ui-font-color2:#444;
  --jp-border-color2:#ccc;--jp-layout-color2:#f6f8fa}main{padding:0;max-width:none}
.po pre,.flip pre{max-height:none;overflow:visible}
.po svg,.po .card,.po tr{break-inside:avoid}.po h2,.po h3,summary{break-after:avoid}
.more:not([open]) .paper{display:inline}
details:not(.more)::details-content{content-visibility:visible;display:block;height:auto}}
</style>""".replace("ON_LIGHT", declared(ON_LIGHT)).replace("ON_DARK", declared(ON_DARK))


def flip(
    example: str, asked: str, body: str, *, gain: float, attributes: str = "", opened: bool = False
) -> str:
    """One changed example: a line that opens. body, attributes: safe markup; example, asked:
    text.
    """
    kind, word, tint = ("won", "▲ got better", GOOD) if gain > 0 else ("lost", "▼ got worse", BAD)
    return (
        "<details class='flip'"
        f" data-kind='{kind}'{attributes}{' open' if opened else ''}><summary><b>{esc(example)}</b>"
        f" <span style='color:{in_text(tint)}'>{word}</span> <span"
        f" class='dim'>{esc(shorten(asked, 90))}</span></summary><div>{body}</div></details>"
    )


def listed(lost: Sequence[str], won: Sequence[str]) -> str:
    """Every flip, under a heading with its count; losses open the list."""
    return _part("got worse", lost, _LOST) + _part("got better", won, _WON)


def chosen(flips: Sequence[tuple[str, float]], most: int) -> list[tuple[str, float]]:
    """At most `most` of the (example, gain) pairs: losses, biggest first, then wins, which get a
    quarter where there are too many.
    """
    lost = sorted((each for each in flips if each[1] < 0), key=lambda each: each[1])
    won = sorted((each for each in flips if each[1] > 0), key=lambda each: -each[1])
    wins = min(len(won), max(most - len(lost), most // 4))
    return lost[: most - wins] + won[:wins]


def opened(place: int) -> bool:
    """Whether the loss at this place, biggest first, is shown open."""
    return place < _OPEN


def _part(text: str, flips: Sequence[str], shown: int) -> str:
    if not flips:
        return ""
    rest = len(flips) - shown
    more = ""
    if rest > 0:
        paper = " <span class='paper dim'>(not on paper: open this fold before you print)</span>"
        more = (
            f"<details class='more'><summary>{rest:,} more that"
            f" {text}{paper}</summary>{''.join(flips[shown:])}</details>"
        )
    return f"<h3>{words.count(len(flips), 'example')} {text}</h3>{''.join(flips[:shown])}{more}"
