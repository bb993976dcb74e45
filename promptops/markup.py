"""Text that is not ours, made safe to show: one `esc` for HTML, one `plain` for terminals, one `cell` for sheets.

Prompts, datasets and model output are data. Whatever shows them passes through here, so that data never
becomes markup, a formula of a spreadsheet, or a control sequence of a terminal.
"""

from __future__ import annotations

_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "$": "&#36;", "`": "&#96;"}
# C0 (but tab and line feed), DEL, C1, and the bidirectional overrides and isolates of Unicode
_CONTROL = {
    code: None for span in ((0, 9), (11, 32), (127, 160), (0x200E, 0x2010), (0x202A, 0x202F), (0x2066, 0x206A)) for code in range(*span)
}
_TABLE = str.maketrans({**{chr(code): "\N{REPLACEMENT CHARACTER}" for code in _CONTROL}, **_HTML})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def esc(text: object) -> str:
    """HTML text or attribute value that shows `text` and does nothing.

    `$` becomes an entity too: notebooks and plotly turn `$...$` into mathematics, which may hold links.
    Control and bidirectional characters show as the replacement character.
    """
    return str(text).translate(_TABLE)


def plain(text: object) -> str:
    """One-terminal-safe text: control sequences, carriage returns and bidirectional overrides taken out."""
    return str(text).translate(_CONTROL)


def shorten(text: object, width: int) -> str:
    """At most `width` characters on one line, `…` where something was left out; terminal-safe."""
    line = " ".join(plain(text).split())
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def cell(text: str) -> str:
    """A spreadsheet cell that is never a formula: a leading apostrophe where a sheet would compute.

    Text that already begins with apostrophes before such a sign gets one more, so that `uncell` is exact.
    """
    return "'" + text if text.lstrip("'").startswith(_FORMULA) else text


def uncell(text: str) -> str:
    """The text that `cell` was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text
