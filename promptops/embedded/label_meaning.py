"""What a prompt says of a label apart from its list: ``use billing for refunds``, ``if data is
lost, the priority is urgent``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["define", "meanings"]


def meanings(text: str, values: Iterable[str]) -> dict[str, str]:
    """value -> what the text says of it apart from any list ("" if nothing), for values that are
    named elsewhere.
    """
    found = {"": dict.fromkeys(values, "")}
    define(text, found)
    return found[""]


def define(text: str, found: dict[str, dict[str, str]]) -> None:
    """Definitions that are given apart from the list, for labels that have none yet; and rules, for
    any label.
    """
    every = {value.lower() for labels in found.values() for value in labels}
    bare = {
        value.lower()
        for labels in found.values()
        for value, meaning in labels.items()
        if not meaning
    }
    wording: dict[str, list[str]] = {}
    if bare:
        for match in _defined(_alternatives(bare)).finditer(text[:40_000]):
            wording.setdefault(match[1].lower(), [match[2].strip()])
    if every:
        for rule in _ruled(_alternatives(every)):
            for match in rule.finditer(text[:40_000]):
                wording.setdefault(match["value"].lower(), []).append(match["case"].strip())
    for labels in found.values():
        for value, meaning in labels.items():
            more = wording.get(value.lower(), [])
            labels[value] = "; ".join(dict.fromkeys([meaning, *more] if meaning else more))[:2000]


def _alternatives(values: Iterable[str]) -> str:
    return "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))


def _defined(names: str) -> re.Pattern[str]:
    """``use billing for refunds, bug for errors``, ``billing means refunds``."""
    return re.compile(
        r"(?:^|[\n.;,(:]|\buse|\bmeans|\band|\bor|[-*•])["
        rf" \t]*+[\"'`*]{{0,6}}({names})[\"'`*]{{0,6}}[ \t]*"
        r"(?::|=|–|—|->|→|[ \t]-[ \t]|\b(?:is for|is when|means|covers|for|when|if)\b)\*{0,4}["
        r" \t]*+([^\n;]{3,400}?)"
        rf"(?=[.;\n]|$|,[ \t]*(?:and[ \t]+|or[ \t]+|use[ \t]+){{0,3}}[\"'`*]{{0,6}}(?:{names})\b)",
        re.I,
    )


def _ruled(names: str) -> Iterable[re.Pattern[str]]:
    """``if money is lost, the priority is urgent``, ``refunds go to billing``."""
    value = rf"[\"'`*]*(?P<value>{names})(?![\w-])"
    yield re.compile(
        r"(?:^|[\n.;:]|[-*•])[ \t]*(?:if|when|where|whenever)[ \t]++(?P<case>[^.;\n]{4,200}?)(?<!["
        r" \t])[ \t]*+(?:,|->|→|:|\bthen\b)[ \t]*+(?:then )?"
        r"(?:(?:the )?\w{1,40} (?:is|becomes|must be|should be)|it"
        r" is|it's|use|set|choose|answer|pick|mark it(?: as)?|say|return|label it(?: as)?)?["
        rf" \t]*{value}",
        re.I,
    )
    yield re.compile(
        r"(?:^|[\n.;:]|[-*•])[ \t]*+(?P<case>[^.;:\n]{4,200}?)(?<![ \t])[ \t]++"
        r"(?:go(?:es)? to|belongs? to|counts? as|(?:is|are) (?:always"
        rf" )?(?:classified|labell?ed|marked|filed) (?:as|under)|falls? under)[ \t]+{value}",
        re.I,
    )
