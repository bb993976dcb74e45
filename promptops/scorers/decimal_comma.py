"""Numbers as most of Europe writes them, as English writes them: 12,50 is 12.50 and 1.234,50 is
1234.50.

Only what cannot be read otherwise is rewritten: 1,234 stays a thousand, 1.234 stays a decimal, and
1,2,3 stays three numbers.
"""

from __future__ import annotations

import re

__all__ = ["with_points"]

_BEFORE, _AFTER = r"(?<![0-9.,])", r"(?![0-9]|[.,][0-9])"
_MARKS = ".' \u00a0\u202f\u2019"  # what is written between thousands, beside the comma
# one without a comma is passed over whole: begun again at each mark, it took quadratic time
_COMMA_AFTER_THOUSANDS = re.compile(
    rf"{_BEFORE}([0-9]{{1,3}}([{_MARKS}])[0-9]{{3}}(?:\2[0-9]{{3}})*+)(?:,([0-9]+){_AFTER})?"
)
_POINTS = re.compile(rf"{_BEFORE}[0-9]{{1,3}}(?:\.[0-9]{{3}}){{2,}}{_AFTER}")
_THIN = re.compile(
    rf"{_BEFORE}[0-9]{{1,3}}(?:['\u00a0\u202f\u2019][0-9]{{3}})+(?=(?:\.[0-9]+)?{_AFTER})"
)
# three digits after the comma are a thousand, unless it begins with 0; "12,2024" ends in a year
_COMMA = re.compile(
    rf"{_BEFORE}(?:([0-9]+),((?!(?:19|20)[0-9]{{2}}{_AFTER})(?:[0-9]{{1,2}}|[0-9]{{4,}}))"
    rf"|(0[0-9]*),([0-9]{{3}})){_AFTER}"
)
_DIGITS = re.compile(r"[^0-9]")


def with_points(text: str) -> str:
    """The text, its numbers with a point before the decimals and nothing between thousands where
    they were written otherwise.
    """
    if "," in text:
        text = _COMMA_AFTER_THOUSANDS.sub(
            lambda found: f"{_DIGITS.sub('', found[1])}.{found[3]}" if found[3] else found[0], text
        )
        text = _COMMA.sub(lambda found: f"{found[1] or found[3]}.{found[2] or found[4]}", text)
    text = _POINTS.sub(lambda found: found[0].replace(".", ""), text)
    return _THIN.sub(lambda found: _DIGITS.sub("", found[0]), text)
