"""One visual language: the palette, the plotly template, the table style, for light and dark.

Colours are Okabe and Ito's, distinguished with any colour vision (Okabe & Ito 2008, "Color
Universal Design"). A version has one colour everywhere: by its number, or by its place where it has
none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..markup import UNTYPESET, esc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plotly.graph_objects import Figure

__all__ = [
    "BAD",
    "BY_SYSTEM",
    "FONT",
    "GOOD",
    "NEUTRAL",
    "ON_DARK",
    "ON_LIGHT",
    "PALETTE",
    "ROOT",
    "STYLE",
    "UNSURE",
    "VARIABLE",
    "chip",
    "colour",
    "declared",
    "in_text",
    "ink",
    "label_colour",
    "page",
    "style_figure",
]

# of versions: none of these is near the two colours of better and worse
PALETTE = ("#0072B2", "#CC79A7", "#56B4E9", "#6A51A3", "#7A828E", "#9E3D78", "#3D5A80", "#B3A2D6")
# readable on white and on a dark ground alike, where nothing says which it is: contrast 4 or more
GOOD, BAD, UNSURE, NEUTRAL = "#0A875B", "#CC5018", "#946F00", "#757D88"
VARIABLE = "#1A73B0"  # of a prompt's text
# the same for words, where the page says which theme it has: contrast 4.5 or more
_NAMES = {GOOD: "good", BAD: "bad", UNSURE: "unsure", NEUTRAL: "neutral", VARIABLE: "variable"}
ON_LIGHT = {
    "good": "#08724c",
    "bad": "#b3420f",
    "unsure": "#7d5e00",
    "neutral": "#5f6873",
    "variable": "#0067a1",
}
ON_DARK = {
    "good": "#2fb782",
    "bad": "#f0713a",
    "unsure": "#c99a1d",
    "neutral": "#98a1ab",
    "variable": "#58a6e6",
}
FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial,"
    " sans-serif"
)
VERDICTS = {"promote": (GOOD, "▲"), "reject": (BAD, "▼"), "inconclusive": (UNSURE, "◆")}


def colour(number: int | None) -> str:
    """The colour of version `number` (1 first); grey for none."""
    return NEUTRAL if number is None else PALETTE[(number - 1) % len(PALETTE)]


def label_colour(label: str, place: int) -> str:
    """The colour of the version that a label names: by its number ("v3", "v3 gpt"), else by its
    place (0 first).
    """
    number = label[1:].split(" ")[0] if label.startswith("v") else ""
    return colour(int(number) if number.isdecimal() else place + 1)


def ink(tint: str) -> str:
    """Black or white: what reads on this colour."""
    red, green, blue = (int(tint[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.52 else "#fff"


def in_text(tint: str) -> str:
    """The CSS colour of words: of the page's theme for the colours that it has one for."""
    name = _NAMES.get(tint)
    return f"var(--po-{name},{tint})" if name else tint


def declared(tints: Mapping[str, str]) -> str:
    """CSS declarations of the colours of words, for a page whose theme is known."""
    return ";".join(f"--po-{name}:{tint}" for name, tint in tints.items())


def chip(label: str, tint: str) -> str:
    """A version's name on its colour, in the ink that reads on it. `label` is text, not markup."""
    return f"<span class='chip' style='background:{tint};color:{ink(tint)}'>{esc(label)}</span>"


# Scoped under .po; JupyterLab's theme variables where they exist, system colours of a page
# elsewhere. .po is a container: what is in it goes by the width of its cell, not of the window; in
# a narrow one tables become blocks and the text of pictures grows.
STYLE = """<style>
[data-jp-theme-light=true] .po,body.vscode-light .po{ON_LIGHT}
:is([data-jp-theme-light=false],body.vscode-dark,html[theme=dark]) .po{ON_DARK}
.po{font:14px/1.45 FONT;color:var(--jp-ui-font-color1,#1f2328);max-width:1280px;
  overflow-wrap:anywhere;container-type:inline-size}
.po h3{font-size:15px;margin:14px 0 6px;font-weight:600}.po h3:first-child{margin-top:2px}
.po p{margin:4px 0}.po .dim{color:var(--jp-ui-font-color2,#59636e)}
.po .num{font-variant-numeric:tabular-nums;text-align:right!important}.po td.num{white-space:nowrap}
.po table{border-collapse:collapse;margin:6px 0;font-size:13px;display:block;overflow-x:auto;
  max-width:100%;table-layout:auto!important}
.po th,.po td{text-align:left!important;padding:4px 12px 4px 0;vertical-align:top;border:0;
  border-bottom:1px solid var(--jp-border-color2,#d8dee4);overflow-wrap:normal}
.po th{font-weight:600;color:var(--jp-ui-font-color2,#59636e);vertical-align:bottom;
  white-space:normal}.po tr{background:none!important}
.po .po-grid td:not(.num){overflow-wrap:anywhere;min-width:58px}
.po .po-grid td:first-child{min-width:76px;max-width:230px;overflow-wrap:break-word}
.po .po-wide{display:table;width:100%}.po .po-wide th:first-child{width:24%}
.po .po-whole{white-space:nowrap}
.po th:last-child,.po td:last-child{padding-right:2px}
.po.po :is(pre,code){font:12px/1.45 ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}
.po.po pre{white-space:pre-wrap;overflow-wrap:anywhere;word-break:normal!important;margin:4px 0;
  padding:8px 10px;background:var(--jp-layout-color2,#f6f8fa)!important;border-radius:5px;
  max-height:340px;
  overflow:auto}
.po :is(code,b,td,th,.chip){unicode-bidi:isolate}.po pre{unicode-bidi:plaintext;text-align:start}
.po .ci{display:block;font-size:11.5px;color:var(--jp-ui-font-color2,#59636e)}
.po .card{border:1px solid var(--jp-border-color2,#d8dee4);
  border-left:5px solid var(--po-accent,#6B7280);border-radius:6px;padding:9px 13px;margin:6px 0}
.po .card b.v{color:var(--po-accent,#6B7280);font-size:17px}
.po .po-answer{display:grid;grid-template-columns:minmax(0,1fr);gap:4px 28px}
.po .po-effect{font-size:30px;line-height:1.2;font-weight:650;margin:4px 0 0;
  color:var(--po-accent,inherit)}.po .po-effect span{font-size:13px;font-weight:400}
.po .po-facts>span{white-space:nowrap}
.po h4{font-size:13px;margin:4px 0 2px;font-weight:600;color:var(--jp-ui-font-color2,#59636e)}
.po .po-cols{display:grid;grid-template-columns:minmax(0,1fr);gap:0 28px}
.po .po-cols>div{min-width:0}
.po .po-figs{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(170px,100%),1fr));
  gap:10px;
  margin:10px 0}
.po .po-fig{container-type:inline-size;border:1px solid var(--jp-border-color2,#d8dee4);
  border-radius:6px;padding:4px 10px;min-width:0;max-width:430px;
  max-height:250px;overflow:hidden}
.po .po-fig:has(>input:checked){grid-column:1/-1;max-width:none;max-height:none;
  cursor:zoom-out}
.po .po-fig>input{appearance:none;position:absolute;inset:0;margin:0;width:100%;height:100%;
  cursor:inherit}
.po .po-fig{cursor:zoom-in;position:relative}.po .po-fig:focus-within{outline:2px solid #0072B2}
.po .po-lost{border-left:3px solid var(--jp-border-color2,#d8dee4);padding:0 0 2px 10px;
  margin:8px 0}
.po .po-lost pre{max-height:110px;padding:4px 8px;margin:2px 0}
.po .po-pairs{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(150px,100%),1fr));
  gap:8px}
.po .po-pairs>div{min-width:0}
.po .po-split{display:inline-block;vertical-align:middle;width:64px;height:8px;border-radius:4px;
  overflow:hidden;background:#9aa4af66;margin-left:8px;text-align:left}
.po .po-split i{display:inline-block;height:8px;vertical-align:top}
.po ul{margin:4px 0 4px 18px!important;padding:0!important}
.po .chip{display:inline-block;border-radius:9px;padding:0 8px;font-size:12px;line-height:18px;
  color:#fff;background:var(--po-accent,#6B7280);white-space:nowrap;max-width:100%;overflow:hidden;
  text-overflow:ellipsis;vertical-align:middle;margin:-2px 0}
.po :is(th,td) .chip{white-space:normal;overflow-wrap:break-word;max-width:11em}
.po del{background:rgba(213,94,0,.2)}
.po .po-wrong{text-decoration:none}
.po ins{background:rgba(0,158,115,.22);text-decoration:none}
.widget-html-content:has(>.po),.jupyter-widget-html-content:has(>.po){min-width:0;flex:1 1 0}
.po .po-list td:first-child,.po .po-list th:first-child{padding-left:8px;width:1%}
.po .po-list tr[aria-selected=true] td{background:rgba(0,114,178,.13)}
.po .po-two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));
  gap:14px}.po .po-two>div{min-width:0;container-type:inline-size}
.po .po-list{position:relative;max-height:330px;overflow:auto}.po .po-list td{white-space:nowrap}
.po .po-list .po-cut{width:var(--po-cut,99%);max-width:0;white-space:nowrap;overflow:hidden;
  text-overflow:ellipsis}
.po .po-list table{display:table;width:100%;overflow:visible}
.po-pane{outline:none;border-radius:6px;padding:2px 6px}
.po-pane:focus-visible{box-shadow:inset 0 0 0 2px #0072B2}
.po summary{cursor:pointer;padding:2px 0}
.po :is(button,summary):focus-visible{outline:2px solid #0072B2;outline-offset:2px;
  border-radius:4px}
.po button{font:inherit;padding:3px 10px;border:1px solid var(--jp-border-color2,#afb8c1);
  border-radius:6px;background:var(--jp-layout-color2,#f6f8fa);color:inherit;cursor:pointer}
.po svg text{font-family:FONT}
.po svg{display:block;width:100%;max-width:720px;height:auto;margin:4px 0}
.po .po-broad{display:none}.po .po-broad svg{max-width:none}
.po .po-head{display:flex;flex-wrap:wrap;gap:4px 18px;align-items:baseline}
.po .po-warm{display:inline-block;min-width:62px;border-radius:4px;padding:2px 8px}
.po .po-heat td{border-bottom:0;padding:2px 12px 2px 0}
.po .po-arm{display:grid;
  grid-template-columns:minmax(36px,max-content) minmax(60px,420px) max-content;
  justify-content:start;align-items:center;gap:10px;margin:3px 0}
.po .po-arm .chip{justify-self:start}
.po .po-bar{height:10px;border-radius:5px;overflow:hidden}
.po .po-bar span{display:block;height:100%}
@container (min-width:760px){.po .po-answer{grid-template-columns:minmax(0,3fr) minmax(0,2fr)}}
@container (min-width:1000px){.po .po-cols{grid-template-columns:minmax(0,1fr) minmax(0,1fr)}
.po .po-broad{display:block}.po .po-slim{display:none}}
@container (min-width:600px) and (max-width:989px){.po .po-figs:has(>:nth-child(5):last-child){
  grid-template-columns:repeat(3,minmax(0,1fr))}}
@media screen{.po .po-fig:not(:has(>input:checked)) table{display:none}
@container (max-width:250px){.po .po-fig svg text,.po .po-fig svg~*{display:none}
.po .po-fig p{font-size:13px}}}
@container (max-width:600px){.po svg text{font-size:15px}.po svg .po-inner{display:none}
.po .po-list .po-more{display:none}.po .po-list .po-arms{width:calc(var(--po-cut,30%)/2)}
.po .po-list td.po-arms{font-size:0}.po .po-list td.po-arms>*{font-size:13px}}
@container (max-width:740px){
.po .po-grid:not(.po-few){display:block;overflow:visible}
.po .po-grid:not(.po-few) :is(tbody,tr){display:block}
.po .po-grid:not(.po-few) thead{display:block;position:absolute;width:1px;height:1px;
  overflow:hidden;clip-path:inset(50%)}
.po .po-grid:not(.po-few) tr{padding:5px 0;border-bottom:1px solid var(--jp-border-color2,#d8dee4)}
.po .po-grid:not(.po-few) td{display:block;border:0;padding:1px 2px;max-width:none;
  white-space:normal}
.po .po-grid:not(.po-few) td:first-child{font-weight:600;overflow-wrap:anywhere}
.po .po-grid:not(.po-few) td:not(:first-child){display:grid;
  grid-template-columns:38% minmax(0,1fr);column-gap:10px}
.po .po-grid:not(.po-few) td>.chip{justify-self:start;overflow:visible}
.po .po-grid:not(.po-few) td:empty{display:none!important}
.po .po-grid:not(.po-few) td:not(:first-child)::before{content:attr(data-label);grid-column:1;
  grid-row:1/span 9;overflow-wrap:anywhere;text-align:left;font-weight:400;
  color:var(--jp-ui-font-color2,#59636e)}}
@container (max-width:440px){.po svg text{font-size:18px}
.po .po-list :is(th,td){padding-right:5px}
.po .po-few td.num{white-space:normal}
.po .po-few td:first-child{min-width:58px}
.po .po-arm{grid-template-columns:minmax(0,1fr) auto;justify-content:stretch}
.po .po-arm .po-bar{grid-column:1/-1;grid-row:2}}
@media print{.po .po-fig{max-height:none}.po pre,.po .po-list{max-height:none;overflow:visible}}
</style>""".replace("FONT", FONT)
STYLE = STYLE.replace("ON_LIGHT", declared(ON_LIGHT)).replace("ON_DARK", declared(ON_DARK))

# of a page whose theme is a light one and whose reader's system is dark: Jupyter's variables, and
# the colours of words
BY_SYSTEM = """<style>@media (prefers-color-scheme:dark){
:root,body{color-scheme:dark;--jp-layout-color0:#0d1117;--jp-layout-color1:#0d1117;
  --jp-layout-color2:#21262d;--jp-layout-color3:#30363d;--jp-ui-font-color0:#f0f3f6;
  --jp-ui-font-color1:#d7dbe0;--jp-ui-font-color2:#9aa4af;--jp-ui-font-color3:#7a828e;
  --jp-content-font-color0:#f0f3f6;--jp-content-font-color1:#d7dbe0;
  --jp-border-color0:#4b535d;--jp-border-color1:#4b535d;--jp-border-color2:#3b424b;
  --jp-widgets-color:#d7dbe0;--jp-widgets-label-color:#d7dbe0;--jp-widgets-input-color:#d7dbe0;
  --jp-widgets-input-background-color:#161b22;--jp-widgets-input-border-color:#4b535d;
  --jp-widgets-dropdown-arrow:url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'\
 viewBox='0 0 18 18'%3E%3Cpath d='M5.2 7.5L9 11.2l3.8-3.7' fill='none' stroke='%23d7dbe0'\
 stroke-width='1.6'/%3E%3C/svg%3E");
  background:#0d1117}
body[data-jp-theme-light] .po.po{ON_DARK}}</style>""".replace("ON_DARK", declared(ON_DARK))

ROOT = f"po {UNTYPESET}"


def page(body: str) -> str:
    """An HTML fragment in the house style, for a notebook cell or a report.

    `body` is safe markup already.
    """
    return f"{STYLE}<div class='{ROOT}'>{body}</div>"


def style_figure(figure: Figure, *, title: str = "", height: int = 320) -> Figure:
    """The house template on a plotly figure: no chart junk, titles that state the finding,
    transparent ground. A figure does not know the theme of its page, so its ink suits both.
    """
    ink, grid = NEUTRAL, "rgba(128,128,128,0.3)"
    axis: dict[str, object] = {
        "gridcolor": grid,
        "zerolinecolor": ink,
        "zerolinewidth": 1,
        "linecolor": grid,
        "ticks": "",
        "automargin": True,
        "title_font": {"size": 13},
    }
    figure.update_layout(
        template="none",
        colorway=list(PALETTE),
        font={"family": FONT, "size": 13, "color": ink},
        title={"text": title, "x": 0, "xanchor": "left", "font": {"size": 15}, "pad": {"l": 4}},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 20, "r": 20, "t": 48 if title else 16, "b": 40},
        height=height,
        hoverlabel={"font": {"family": FONT}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure
