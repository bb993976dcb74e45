"""Where the instructions of a request end and the text to judge begins.

Only rendered messages are read. The text to judge is never searched for instructions where the
prompt sets it apart (a system message, a marker such as ``Ticket:``, a tag, triple quotes), so a
ticket that looks like a prompt stays a ticket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["ASKED", "REPLIED", "WINDOW", "question_of", "sets_apart", "texts"]

# characters of one message that are read closely: the head and the tail of anything longer
WINDOW = 40_000
_TAIL = 8_000

_NOUNS = (
    "ticket|text|input|message|email|mail|question|query|request|review|comment|document|customer|"
    "user|sentence|"
    "example|post|tweet|complaint|case|issue|q"
)
# a line that opens a text to judge, and a line that opens its answer
ASKED = (
    rf"(?:(?:(?:support|customer|user|new|next|the)[ _])?(?:{_NOUNS})(?:["
    r" _](?:text|message|body))?(?:\s*#?\d+)?)"
)
REPLIED = (
    r"(?:(?:expected |correct |your |the"
    r" )?(?:answer|output|label|category|class|classification|response|json|result|reply|"
    r"assistant|sentiment|prediction|a)(?:\s*#?\d+)?)"
)
_HEADED = (
    r"^#{1,4}[ \t]+(?:the )?(?:(?:support|customer|user|new)["
    r" _])?(?:ticket|text|input|message|email|mail|question|query|request|review|comment|post|"
    r"tweet)["
    r" \t]*+#*+[ \t]*+\n++"
)
_OPENS = re.compile(rf"^[ \t>*#-]*{ASKED}\**[ \t]*:\**[ \t]*|{_HEADED}", re.I | re.M)
_CLOSES = re.compile(rf"\n[ \t>*#-]*{REPLIED}(?: \(json\))?\**+[ \t]*+:?\**+\s*+\Z", re.I)
_ANSWERED = re.compile(rf"^[ \t>*#-]*{REPLIED}\**[ \t]*:\**[ \t]*\S", re.I | re.M)
_TAG = re.compile(rf"<({_NOUNS})>", re.I)
_ORDER = re.compile(
    r"(?:please\s+)?(?:classify|categori[sz]e|triage|label|tag|route|sort|read|analy[sz]e|"
    r"summari[sz]e|judge|rate|"
    r"decide|determine|answer|handle|process|what|which|is this|extract|translate|describe|look"
    r" at)\b",
    re.I,
)
_DECIDE = re.compile(
    r"(?:please\s+)?(?:classify|categori[sz]e|triage|label|tag|route|sort|judge|rate|decide|"
    r"determine|extract|answer"
    r" in|answer with)\b",
    re.I,
)
_ORDER_LINE = re.compile(rf"\A\s*{_ORDER.pattern}[^\n:]{{0,160}}:[ \t]*\n*", re.I)
_MORE_ORDERS = re.compile(
    r"[#*\s]*(?:please\s+)?(?:answer|reply|respond|return|output|classify|categor|choose|pick|use|"
    r"label|possible|format|"
    r"give|provide|rules|instructions|keys|fields|priorit|the"
    r" (?:categor|answer|label|priorit|output))",
    re.I,
)
_ABOUT_FORM = re.compile(
    r"json|one of|categor|label|\bkeys?\b|\bfields?\b|format|one word|priorit|only", re.I
)


def texts(request: Mapping[str, object]) -> list[tuple[str, str]]:
    """(role, text) of each message, long ones cut to head and tail; parts other than text are left
    out.
    """
    found = []
    messages = request.get("messages")
    for message in messages if isinstance(messages, (list, tuple)) else ():
        if not isinstance(message, Mapping):
            continue
        content = message.get("content")
        if not isinstance(content, str):
            parts = content if isinstance(content, (list, tuple)) else ()
            content = "\n".join(
                part["text"]
                for part in parts
                if isinstance(part, Mapping) and isinstance(part.get("text"), str)
            )
        if len(content) > WINDOW:
            content = f"{content[: WINDOW - _TAIL]}\n{content[-_TAIL:]}"
        found.append((str(message.get("role", "user")), content))
    return found


def question_of(text: str, guided: bool) -> tuple[str, str]:
    """(instructions, text to judge) of a user message.

    guided: what to decide and how to answer is given elsewhere (a system message), so that the
    message is nothing but the text to judge and its wrapper: any instructions in it are text.
    """
    if not guided:
        return _unguided(text)
    opened = _OPENS.match(text)
    return "", _unwrapped(text[opened.end() :] if opened else text)


def sets_apart(text: str) -> bool:
    """Whether a message holds more than a text to judge: it opens with an order (``Classify ...``)
    or a marker (``Ticket:``).
    """
    return bool(_DECIDE.match(text.lstrip()) or _OPENS.match(text))


def _unguided(text: str) -> tuple[str, str]:
    span = _tagged(text) or _quoted(text)
    if span:
        start, end, outer_start, outer_end = span
        return (
            f"{text[:outer_start].rstrip()}\n{text[outer_end:].lstrip()}".strip(),
            text[start:end].strip(),
        )
    opened = _last_open(text)
    if opened:
        body, orders = _without_orders(text[opened[1] :])
        return f"{text[: opened[0]].rstrip()}\n{orders}".strip(), _unwrapped(body)
    order = _ORDER_LINE.match(text)
    if order:
        body, orders = _without_orders(text[order.end() :])
        return f"{order[0].strip()}\n{orders}".strip(), _unwrapped(body)
    first, _, rest = text.strip().partition("\n\n")
    if rest and _ORDER.match(first):
        body, orders = _without_orders(rest)
        return f"{first}\n{orders}".strip(), _unwrapped(body)
    return (first if _ORDER.match(first) else ""), text.strip()


def _tagged(text: str) -> tuple[int, int, int, int] | None:
    """The last text between a pair of tags such as <ticket>: inner start and end, outer start and
    end.
    """
    opened = _TAG.search(text)
    if opened is None:
        return None
    tag = opened[1]
    end = text.rfind(f"</{tag}>")
    start = text.rfind(f"<{tag}>", 0, max(end, 0))
    if start < 0:
        return None
    return start + len(tag) + 2, end, start, end + len(tag) + 3


def _quoted(text: str) -> tuple[int, int, int, int] | None:
    """The last text between triple quotes, where the marks come in pairs."""
    for mark in ('"""', "'''"):
        if text.count(mark) >= 2 and text.count(mark) % 2 == 0:
            end = text.rfind(mark)
            start = text.rfind(mark, 0, end)
            return start + 3, end, start, end + 3
    return None


def _last_open(text: str) -> tuple[int, int] | None:
    """Start of the marker, and of the text behind it, of the first text to judge that no answer
    follows.
    """
    opened = None
    answered = [match.start() for match in _ANSWERED.finditer(text)]
    after = answered[-1] if answered else -1
    for match in _OPENS.finditer(text):
        if match.start() > after and match.end() < len(text):
            opened = match.start(), match.end()
            break
    return opened


def _without_orders(text: str) -> tuple[str, str]:
    """(text to judge, instructions behind it): paragraphs that tell how to answer."""
    parts = re.split(r"\n[ \t]*\n", text)
    for index in range(1, len(parts)):
        if _MORE_ORDERS.match(parts[index]) and _ABOUT_FORM.search(parts[index]):
            return "\n\n".join(parts[:index]), "\n\n".join(parts[index:])
    return text, ""


def _unwrapped(text: str) -> str:
    """The text without the marker of the answer to come, and without a pair of quotes, ticks or
    tags around it.
    """
    text = _CLOSES.sub("", text).strip()
    for mark in ('"""', "'''", "```"):
        if len(text) >= 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            return text[len(mark) : -len(mark)].strip()
    tag = _TAG.match(text)
    if tag and text.endswith(f"</{tag[1]}>"):
        return text[tag.end() : -len(tag[1]) - 3].strip()
    return text
