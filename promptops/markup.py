"""Text that is not ours, made safe to show: one `esc` for HTML, one `plain` for terminals, one `cell` for sheets.

Prompts, datasets and model output are data. Whatever shows them passes through here, so that data never
becomes markup, a formula of a spreadsheet, or a control sequence of a terminal.
"""

from __future__ import annotations

import re

__all__ = ["cell", "esc", "plain", "shorten", "uncell", "without_data"]

_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "$": "&#36;", "`": "&#96;"}
# C0 (but tab and line feed), DEL, C1, and the bidirectional marks, overrides and isolates of Unicode
_CONTROL = [
    code
    for span in ((0, 9), (11, 32), (127, 160), (0x61C, 0x61D), (0x200E, 0x2010), (0x202A, 0x202F), (0x2066, 0x206A))
    for code in range(*span)
]
_BLANK = "\N{REPLACEMENT CHARACTER}"
_SURROGATE = dict.fromkeys(range(0xD800, 0xE000), _BLANK)  # no file and no terminal takes a lone one
_PLAIN: dict[int, str | None] = {**dict.fromkeys(_CONTROL), **_SURROGATE}
_TABLE = {**dict.fromkeys(_CONTROL, _BLANK), **_SURROGATE, **str.maketrans(_HTML)}
_DATA = re.compile(r"(data:[A-Za-z0-9.+/;=-]{0,200}base64,[A-Za-z0-9+/_-]{24})([A-Za-z0-9+/=_-]{100,})")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # the wide ones count in East Asian versions


def esc(text: object) -> str:
    """HTML text or attribute value that shows `text` and does nothing.

    `$` becomes an entity too: notebooks and plotly turn `$...$` into mathematics, which may hold links.
    Control and bidirectional characters and lone surrogates show as the replacement character.
    """
    return str(text).replace("\r\n", "\n").translate(_TABLE)


def plain(text: object) -> str:
    """Text that a terminal shows and does not obey: control and bidirectional characters taken out, lone surrogates replaced."""
    return str(text).translate(_PLAIN)


def shorten(text: object, width: int) -> str:
    """At most `width` characters on one line, `…` where something was left out; terminal-safe."""
    line = " ".join(plain(text).split())
    return line if len(line) <= width else (line[: width - 1] + "…" if width > 0 else "")


def without_data(text: str) -> str:
    """The text with the bytes of `data:` addresses cut to their beginning, and how many characters were left out."""
    return _DATA.sub(lambda found: f"{found[1]}… ({len(found[2]):,} characters more)", text) if "base64," in text else text


def cell(text: str) -> str:
    """A spreadsheet cell that is never a formula: a leading apostrophe where a sheet would compute.

    Text that already begins with apostrophes before such a sign gets one more, so that `uncell` is exact.
    """
    return "'" + text if text.lstrip("'").startswith(_FORMULA) else text


def uncell(text: str) -> str:
    """The text that `cell` was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text
