"""Text that is not ours, made safe to show: `esc` for HTML, `plain` for terminals, `cell` for
sheets, `markdown` for pull requests; and `count`, a number with its noun.

Prompts, datasets and model output are data. Whatever shows them passes through here, so that data
never becomes markup, a formula of a spreadsheet, a link or a line of our own in a pull request, or
a control sequence of a terminal.
"""

from __future__ import annotations

import re
from functools import wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "UNTYPESET",
    "cell",
    "code",
    "count",
    "esc",
    "markdown",
    "one_line",
    "paragraph",
    "plain",
    "plain_repr",
    "portable",
    "shorten",
    "stem",
    "uncell",
    "unlinked",
    "without_data",
]

# MathJax reads the page, not the markup, so no escape keeps it from text between two dollars, which
# may hold links; these classes of an element around it do (3, 2)
UNTYPESET = "mathjax_ignore tex2jax_ignore"
_HTML = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
    "$": "&#36;",
    "`": "&#96;",
}
# C0 (but tab and line feed), DEL, C1, and the bidirectional marks, overrides and isolates of
# Unicode
_CONTROL = [
    code
    for span in (
        (0, 9),
        (11, 32),
        (127, 160),
        (0x61C, 0x61D),
        (0x200E, 0x2010),
        (0x202A, 0x202F),
        (0x2066, 0x206A),
    )
    for code in range(*span)
]
_NAMED = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&dollar;", "`": "&grave;"}
)  # by name: "#96" is an issue
_BLANK = "\N{REPLACEMENT CHARACTER}"
_SURROGATE = dict.fromkeys(
    range(0xD800, 0xE000), _BLANK
)  # no file and no terminal takes a lone one
_PLAIN: dict[int, str | None] = {**dict.fromkeys(_CONTROL), **_SURROGATE}
_TABLE = {**dict.fromkeys(_CONTROL, _BLANK), **_SURROGATE, **str.maketrans(_HTML)}
_DATA = re.compile(
    r"(data:[A-Za-z0-9.+/;=-]{0,200}base64,[A-Za-z0-9+/_-]{24})([A-Za-z0-9+/=_-]{100,})"
)
_FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "＝",
    "＋",
    "－",
    "＠",
)  # the wide ones count in East Asian versions

_NO_NAME = re.compile(r'[/\\:*?"<>|]')
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *")

_MARKS = re.compile(r"[\\*_\[\]~|#!]|^[-+=]")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
# What code hosts make links of without any mark: mentions, mail, issues, addresses, and GitLab's
# other references.
_LINKING = re.compile(
    r"@|#|:(?=//)|/(?=/)|(?:www|mailto|xmpp)(?=[.:])|GH(?=-\d)|[!&$%~^](?=[\w\"'])", re.IGNORECASE
)
_JOINER = "\N{WORD JOINER}"  # not seen, and no host knows a mention or an address with one inside


def count(n: int, noun: str, plural: str | None = None) -> str:
    """`1 example`, `3 examples`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def esc(text: object) -> str:
    """HTML text or attribute value that shows `text` and does nothing.

    `$` becomes an entity too: notebooks and plotly turn `$...$` into mathematics, which may hold
    links. Control and bidirectional characters and lone surrogates show as the replacement
    character.
    """
    return str(text).replace("\r\n", "\n").translate(_TABLE)


def paragraph(face: object) -> str:
    """What a value says of itself, as a paragraph of a notebook's cell: its repr without the angle
    brackets. A notebook makes no mathematics of two prices in it.
    """
    shown = repr(face)
    inner = shown[1:-1] if shown.startswith("<") and shown.endswith(">") else shown
    return f"<div class='{UNTYPESET}'><p>{esc(inner)}</p></div>"


def plain(text: object) -> str:
    """Text that a terminal shows and does not obey: control and bidirectional characters taken out,
    lone surrogates replaced.
    """
    shown = str(text)
    # none of what is taken out or replaced is printable
    return shown if shown.isprintable() else shown.translate(_PLAIN)


def one_line(text: object) -> str:
    """The text as `plain` shows it, with one space for each white space, line breaks too."""
    words = plain(
        " ".join(str(text).split())
    )  # words first: some of what ends a line counts as a control character too
    return " ".join(words.split())


def plain_repr(shown: Callable[[Any], str]) -> Callable[[Any], str]:
    """A `__repr__` that holds names and notes of anybody's: `plain` whatever they are, one line
    if the whole is in angle brackets, and in characters that `print` can write.
    """

    @wraps(shown)
    def text(self: Any) -> str:
        from .plain_text import for_stdout

        said = shown(self)
        bracketed = said.startswith("<") and said.endswith(">")
        return for_stdout(one_line(said) if bracketed else plain(said))

    return text


def markdown(text: object) -> str:
    """Inline Markdown that shows `text` on one line and does nothing: no link, image, mention,
    reference, heading or table cell.

    It may be put anywhere in a line, in a table's cell and between marks of our own. Where code
    hosts link words that have no mark, an invisible joiner is between.
    """
    return _NUMBERED.sub(r"\1\\\2", _MARKS.sub(r"\\\g<0>", unlinked(text))).translate(_NAMED)


def code(text: object) -> str:
    """A code span on one line that shows `text`, whatever back-ticks it holds; not for a table's
    cell, where `|` would end it.
    """
    line = unlinked(text)
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    pad = " " if not line or line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def unlinked(text: object) -> str:
    """The text on one line, without control characters, and with a joiner after what would become a
    link.
    """
    return _LINKING.sub(rf"\g<0>{_JOINER}", one_line(text))


def shorten(text: object, width: int) -> str:
    """At most `width` characters on one line, `…` where something was left out; terminal-safe."""
    line = str(text)
    if line.isprintable() and "  " not in line:  # all its white space is single spaces
        line = line.strip()
    else:
        line = " ".join(line.translate(_PLAIN).split())
    return line if len(line) <= width else (line[: width - 1] + "…" if width > 0 else "")


def portable(name: str) -> str:
    """The name of a file, changed only if Windows takes it for a device (`con`, `nul.txt`):
    then `~` is put before it. Our own names do not begin with it.
    """
    return f"~{name}" if _DEVICE.fullmatch(name.partition(".")[0]) else name


def stem(text: object) -> str:
    """The name of a file, without its ending, that a text of anybody's is kept under: one line, no
    folder, at most 120 bytes, and a name on every system.
    """
    line = _NO_NAME.sub("-", " ".join(plain(text).split()))
    short = line.encode()[:120].decode(errors="ignore").strip(". ")
    return portable(short) or "unnamed"


def without_data(text: str) -> str:
    """The text with the bytes of `data:` addresses cut to their beginning, and how many characters
    were left out.
    """
    return (
        _DATA.sub(lambda found: f"{found[1]}… ({len(found[2]):,} characters more)", text)
        if "base64," in text
        else text
    )


def cell(text: str) -> str:
    """A spreadsheet cell that is never a formula: a leading apostrophe where a sheet would compute.

    Text that already begins with apostrophes before such a sign gets one more, so that `uncell` is
    exact.
    """
    return "'" + text if text.lstrip("'").startswith(_FORMULA) else text


def uncell(text: str) -> str:
    """The text that `cell` was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text
