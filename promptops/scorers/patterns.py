"""Regular expressions that cannot hang: google-re2 is linear; what it refuses runs in `regex` under
a timeout.

An invalid pattern is reported when the scorer is built. A pattern that ran out of time is an error
of the scorer, never a failed answer (S13).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .rule import PASS, Rule, fail, rule, snippet, spelled

__all__ = ["compiled", "matches"]

TIMEOUT_S = 1.0  # of one search by `regex`
_MEMORY = 64 << 20  # of one compiled re2 pattern


@declared(
    "assertion",
    example='matches(r"\\d{3}")',
    output="Call 911",
    value=1.0,
    source="google-re2, regex",
)
@explained
def matches(pattern: str, *, whole: bool = False, ignore_case: bool = False) -> Rule:
    """The regular expression matches in the answer (whole=True: it matches the whole answer,
    ignoring outer white space).

    The syntax is google-re2's. Lookarounds, backreferences and other syntax that re2 rejects run in
    the package `regex`, for at most 1 s per search; after that the row is unscored. `.` does not
    match a line end and `^` matches only the start of the text; `(?s)` and `(?m)` change that.

    Args:
        pattern: the regular expression.
        whole: whether the whole answer must match.
        ignore_case: whether upper and lower case count as equal.
    """
    search = compiled(
        f"\\s*(?:{pattern})\\s*" if whole else pattern, whole=whole, ignore_case=ignore_case
    )
    failed = fail(f"does not match {snippet(pattern)}")

    def score(case: Case) -> Score:
        return PASS if search(case.output) else failed

    return rule(
        spelled("matches", pattern, whole=whole, ignore_case=ignore_case), "assertion", score
    )


def compiled(
    pattern: str, *, whole: bool = False, ignore_case: bool = False
) -> Callable[[str], bool]:
    """Text -> whether it matches, or TimeoutError.

    Raises ScorerError for a pattern that neither engine takes.
    """
    import re2  # type: ignore[import-untyped,unused-ignore]

    if not isinstance(pattern, str) or not pattern:
        raise ScorerError(f"invalid regular expression {pattern!r}: give a text that is not empty.")
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    options.max_mem = _MEMORY
    try:
        fast = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        return _slow(pattern, whole, ignore_case)
    run = fast.fullmatch if whole else fast.search
    return lambda text: run(text if text.isascii() else clean(text)) is not None


def clean(text: str) -> str:
    """Text that UTF-8 can carry: a lone surrogate becomes `?`."""
    return text.encode("utf-8", "replace").decode()


def _slow(pattern: str, whole: bool, ignore_case: bool) -> Callable[[str], bool]:
    import regex  # type: ignore[import-untyped,unused-ignore]

    try:
        run = regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, RecursionError, re.error) as error:
        raise ScorerError(
            f"invalid regular expression {snippet(pattern)}: {error}; correct it."
        ) from None
    search = run.fullmatch if whole else run.search

    def found(text: str) -> bool:
        try:
            return search(text, timeout=TIMEOUT_S) is not None
        except TimeoutError:
            raise TimeoutError(
                f"the pattern {snippet(pattern, 40)} ran longer than {TIMEOUT_S:g} s"
            ) from None

    return found
