"""What the pages of a site share: the frame, the way back, links between pages, and moments.

A page holds no script, loads nothing, and its own policy forbids both.
"""

from __future__ import annotations

from ..markup import esc, portable
from .folds import PAGE
from .theme import ROOT, STYLE

__all__ = ["aside", "back_link", "link", "moment", "prompt_file", "site_page", "study_file"]

_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LOOK = """<style>
.po a,.po-site a{color:#0060a8;text-decoration-thickness:1px;text-underline-offset:2px}
.po-site{margin:0 0 14px;font-size:13px}.po-site a{display:inline-block;padding:4px 0}
.po .po-free{unicode-bidi:isolate}.po h2{scroll-margin-top:10px}
.po .po-alarm{border:1px solid #CC5018;border-left-width:5px;border-radius:6px;padding:8px 13px;
  margin:8px 0}
.po details.po-more{margin:6px 0;border:1px solid var(--jp-border-color2,#d8dee4);
  border-radius:6px;padding:4px 12px}
@container (min-width:760px){.po .po-grid td:first-child{max-width:460px;min-width:130px}}
@container (max-width:600px){.po .po-grid:not(.po-few) td:not(:first-child){
  grid-template-columns:116px minmax(0,1fr);text-align:left!important}
.po .po-few .po-whole{white-space:normal}}
.po .po-foot{margin-top:34px;font-size:12.5px}
@media(prefers-color-scheme:dark){.po a,.po-site a{color:#6cb6ff}}
</style>"""


def site_page(title: str, body: str, *, above: str = "", foot: str = "") -> str:
    """A whole page.

    Args:
        title: text, for the window.
        body: safe markup.
        above: safe markup before the heading.
        foot: text below everything.
    """
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">'
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{esc(title)}</title>{STYLE}{PAGE}{_LOOK}</head>"
        f"<body><main><div class='{ROOT}'>{above}{body}"
        f"<p class='dim po-foot'>{esc(foot)}</p></div></main></body></html>\n"
    )


def back_link(href: str, text: str) -> str:
    """The way back to another page, as safe markup that brings its own look."""
    return f"{_LOOK}<nav class='po-site'><a href='{esc(href)}'>← {esc(text)}</a></nav>"


def link(href: str, text: str) -> str:
    """A link to one of our own pages, as safe markup. text: anybody's."""
    return f"<a href='{esc(href)}'>{aside(text)}</a>"


def aside(text: object) -> str:
    """Free text as safe markup that keeps its own direction of writing, whatever is around it."""
    return f"<bdi class='po-free' dir='auto'>{esc(text)}</bdi>" if text else ""


def moment(at: str) -> str:
    """A moment to the minute, as safe markup on one line."""
    return f"<span class='dim po-whole'>{esc(at[:16].replace('T', ' '))}</span>"


def prompt_file(name: str) -> str:
    """The page of a prompt: `~` is in no prompt's name, so no two share a file."""
    return f"prompts/{portable(name.replace('/', '~'))}.html"


def study_file(id: str) -> str:
    """The page of a study."""
    return f"studies/{id}.html"
