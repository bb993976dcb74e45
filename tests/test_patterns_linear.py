"""No text of a model, a prompt or a file makes one of our regular expressions take more than linear
time.

Every pattern of the package is found in its source, applied as the package applies it, and given
repeats that are made of what the pattern itself looks for. A pattern that needs far more than twice
the time for twice the text is not linear; while it runs, Python holds the interpreter and every
thread stands still.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patterns.pumps import pumps
from tests.patterns.sites import PACKAGE, USES, Site, sites

SIZE = 20_000
QUICK_S = 0.03  # up to here a text of 20 kB is not worth a doubt
STOP_S = 8  # an exponential pattern would never end
COMMON = (
    "\n",
    " ",
    "a",
    "1",
    ".",
    "-",
    "_",
    "*",
    '"',
    "[",
    "(",
    "{",
    "\\",
    "`",
    "<",
    ":",
    ",",
    "a ",
    "\n ",
    "1,",
    "a.",
    "- ",
)

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="a running pattern is stopped by a signal"
)


def texts(pattern: re.Pattern[Any], size: int) -> Iterator[tuple[str, Any]]:
    """(what is repeated, the text): common signs, and what is in the pattern's own repeats,
    with what leads to them.
    """
    pumped = [("", unit) for unit in COMMON] + list(pumps(pattern))
    for lead, unit in dict.fromkeys(pumped):
        for text in (
            lead + unit * (size // len(unit)) + "\x00",
            (lead + unit) * (size // len(lead + unit)),
        ):
            yield (
                f"{lead!r} and {unit!r}",
                text if isinstance(pattern.pattern, str) else text.encode(),
            )


def applied(site: Site, text: Any, stop_s: float) -> float:
    """How many seconds of the processor the slowest use takes: what else runs on the machine does
    not count.
    """
    signal.setitimer(signal.ITIMER_VIRTUAL, stop_s)
    slowest = 0.0
    for use in site.uses:
        began = time.thread_time()
        if use in ("sub", "subn"):
            getattr(site.pattern, use)(text[:0], text)
        elif use == "finditer":
            for _ in site.pattern.finditer(text):
                pass
        else:
            getattr(site.pattern, use)(text)
        slowest = max(slowest, time.thread_time() - began)
    return slowest


class Endless(Exception):
    """A pattern that did not end in time."""


def _stop(*_: object) -> None:
    raise Endless


def superlinear(site: Site, stop_s: float = STOP_S, size: int = SIZE) -> str:
    """Which repeats take more than linear time; empty if none does."""
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        for (shown, whole), (_, half), (_, quarter) in zip(
            *(texts(site.pattern, size // part) for part in (1, 2, 4)), strict=True
        ):
            try:
                # what is cubic and quicker than this on a part is quick enough on the whole
                if applied(site, quarter, stop_s) < QUICK_S / 64:
                    continue
                one = applied(site, half, stop_s)
                if one < QUICK_S / 8 or applied(site, whole, stop_s) < max(QUICK_S, 3 * one):
                    continue
                for _ in range(2):  # a busy machine may spoil one measurement, and hardly three
                    one, two = (
                        min(applied(site, text, stop_s) for _ in range(2)) for text in (half, whole)
                    )
                    if two < max(QUICK_S, 3 * one):
                        break
                else:
                    return f"{shown}: {two:.2f} s for {size} bytes, {one:.2f} s for half of them"
            except Endless:
                return f"{shown}: {size} bytes did not end within {stop_s:g} s"
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, before)
    return ""


SITES = sites()
_FOUND: dict[tuple[re.Pattern[Any], tuple[str, ...]], str] = {}  # a table repeats what it is of


@pytest.mark.parametrize(
    "site", SITES, ids=[f"{site.where} {place}" for place, site in enumerate(SITES)]
)
def test_every_pattern_of_ours_is_linear(site: Site) -> None:
    key = (site.pattern, site.uses)
    if key not in _FOUND:
        _FOUND[key] = superlinear(site)
    assert _FOUND[key] == "", f"{site.where}: {site.pattern.pattern!r}"


@pytest.mark.parametrize(
    ("source", "use"),
    [
        (r"(?m:^\s*A:)", "finditer"),
        (r"\[.*?\]", "findall"),
        (r"(a+)+b", "search"),
        (r"\s+$", "search"),
        (r"if[ \t]+\w+,[ \t]*(?:then )?[ \t]*x", "match"),
        (r'"(?:[^"\\]|\\.)*"', "sub"),
        (r"x(?:by\s+)*yes|(?:by\s+)*no", "search"),
    ],
)
def test_patterns_that_are_not_linear_are_found(source: str, use: str) -> None:
    """Two that were ours, the usual one at the end of a line, an exponential one, and some that
    need what leads to them.
    """
    site = Site("here", re.compile(source), (use,))
    assert (superlinear(site, 2, SIZE // 4) or superlinear(site, 2)) != ""


def test_no_pattern_is_left_out() -> None:
    """As many places as a plain search of the source finds."""
    call = re.compile(rf"(?<![\w.])re\.(?:compile|{'|'.join(USES)})\(|\blate_pattern\(")
    written = sum(
        len(call.findall(Path(path).read_text(encoding="utf-8")))
        for path in PACKAGE.rglob("*.py")
        if path.name != "late_pattern.py"  # it compiles what others name
    )
    assert (
        len([site for site in SITES if site.where.rpartition(":")[2].isdecimal()]) == written > 150
    )
