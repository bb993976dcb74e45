"""Canonical JSON is RFC 8785: one text for one value, compared with an independent
implementation.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
import struct
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    canonical,
    digest,
    json_copy,
    number,
    tagged,
    written,
)
from promptops.errors import VersionError
from tests.quick import quick

law = settings(deadline=None, max_examples=100)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
BITS = (
    st.integers(0, 2**64 - 1)
    .map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
    .filter(math.isfinite)
)
INTEGERS = st.integers(-MAX_INTEGER, MAX_INTEGER)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
KEPT = FLOATS.filter(lambda value: not (value.is_integer() and MAX_INTEGER < abs(value) < 1e21))
VALUES_KEPT = st.lists(
    st.none() | st.booleans() | INTEGERS | KEPT | TEXT, max_size=6
) | st.dictionaries(TEXT, KEPT | st.lists(KEPT))


class Colour(enum.IntEnum):
    RED = 1


class Word(str, enum.Enum):  # noqa: UP042 - the older spelling formats differently, which is the point
    RED = "red"


@law
@given(VALUES)
def test_equals_the_reference(value: object) -> None:
    """The text of any JSON value is byte for byte that of the `rfc8785` package."""
    assert canonical(value).encode() == rfc8785.dumps(value)  # type: ignore[arg-type]


@law
@given(BITS | FLOATS)
def test_floats_as_ecmascript(value: float) -> None:
    """A float prints as the reference prints it, over all bit patterns, and reads back as
    itself.
    """
    assert number(value).encode() == rfc8785.dumps(value)
    assert float(number(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (999999999999999900000.0, "999999999999999900000"),
        (1e21, "1e+21"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (0.000001, "0.000001"),
        (0.0000001, "1e-7"),
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (1e-27, "1e-27"),
        (-1.5, "-1.5"),
        (100.0, "100"),
        (MAX_INTEGER, "9007199254740991"),
        (-MAX_INTEGER, "-9007199254740991"),
        (np.float64(0.1), "0.1"),
        (Colour.RED, "1"),
    ],
)
def test_number_formatting(value: float, text: str) -> None:
    """Numbers print as ECMAScript prints them (vectors of RFC 8785, appendix B), whatever class
    holds them.
    """
    assert number(value) == text
    assert canonical([value]) == f"[{text}]"


@law
@given(st.dictionaries(TEXT, INTEGERS, min_size=1), st.randoms())
def test_order_of_keys_is_no_content(value: dict[str, int], chance: Any) -> None:
    """The same pairs in any order are the same text, keys sorted by UTF-16 units."""
    pairs = list(value.items())
    chance.shuffle(pairs)
    assert canonical(dict(pairs)) == canonical(value)
    keys = list(json.loads(canonical(value)))
    assert keys == sorted(keys, key=lambda key: key.encode("utf-16-be"))


def test_utf16_order_is_not_code_point_order() -> None:
    """An emoji (a surrogate pair in UTF-16) sorts before U+FB33, though its code point is higher:
    JavaScript's order.
    """
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'


@law
@given(VALUES_KEPT)
def test_reading_back_gives_the_same_text(value: object) -> None:
    """What a version may hold survives its own text: canonical(loads(canonical(x))) ==
    canonical(x).
    """
    assert canonical(json.loads(canonical(json_copy(value)))) == canonical(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0, 0.0),
        (1, 1.0),
        ((1, 2), [1, 2]),
        (Word.RED, "red"),
        (MappingProxyType({"a": 1}), {"a": 1}),
    ],
)
def test_one_value_one_text(one: object, other: object) -> None:
    """Equal JSON values of different Python classes are one text, on every Python."""
    assert canonical({"x": one}) == canonical({"x": other})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2**53, "2^53"),
        (-(2**53), "2^53"),
        pytest.param(10**5000, "2^53", id="5,001 digits"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "inf"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({1: 2}, "int"),
        ({None: 2}, "NoneType"),
        ({1, 2}, "set"),
        (b"x", "bytes"),
        (object(), "object"),
        (1j, "complex"),
    ],
)
def test_what_json_cannot_hold(value: object, said: str) -> None:
    """What JSON cannot hold is refused with its place, alone and deep inside, by the text and by
    the copy.
    """
    for hold in (canonical, json_copy):
        with pytest.raises(VersionError, match=said.replace("^", r"\^")):
            hold(value)
        with pytest.raises(VersionError, match=r"thing\.a\[1\]"):
            hold({"a": [0, value]}, "thing")


def test_bombs() -> None:
    """S3, S14: nesting of 100,000 and an integer of 100,000 digits cost no time and no stack, only
    an error.
    """
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with quick(1):
        for bomb in (deep, 10**100_000, {"a": deep}):
            with pytest.raises(VersionError):
                canonical(bomb)
    level: Any = 1
    for _ in range(MAX_DEPTH):
        level = [level]
    assert canonical(level).count("[") == MAX_DEPTH
    with pytest.raises(VersionError, match="deeper than 200"):
        canonical([level])


@law
@given(VALUES)
def test_digest_and_tag(value: object) -> None:
    """The digest is the SHA-256 of the text in UTF-8, an id its tag and first 32 digits."""
    expected = hashlib.sha256(rfc8785.dumps(value)).hexdigest()  # type: ignore[arg-type]
    assert digest(value) == expected
    assert tagged("x9", value) == f"x9-{expected[:32]}"


@law
@given(VALUES, TEXT)
def test_what_is_written_stands_for_its_value(value: object, name: str) -> None:
    """In a list, under a name of any characters, and in a mapping that is no dict; a text of the
    same characters stays a text.
    """
    text = written(value)
    for held, said in (([1, value], [1, text]), ({name: value}, {name: text})):
        assert canonical(said) == canonical(held)
        assert digest(said) == digest(held)
    assert canonical(MappingProxyType({name: text})) == canonical({name: value})
    assert canonical([str(text)]) == canonical([canonical(value)])


def test_a_copy_shares_nothing() -> None:
    """`json_copy` gives plain dicts, lists and scalars in the order of the keys, whatever classes
    came in.
    """
    given_ = MappingProxyType(
        {"b": (np.float64(0.5), Colour.RED, True, None), "a": MappingProxyType({"w": Word.RED})}
    )
    kept = json_copy(given_)
    assert kept == {"b": [0.5, 1, True, None], "a": {"w": "red"}}
    assert list(kept) == ["b", "a"]
    assert [type(item) for item in kept["b"]] == [float, int, bool, type(None)]
    assert type(kept["a"]["w"]) is str


@pytest.mark.parametrize("value", [2.0**53, 1e17, -1e20, 9.99e20])
def test_whole_floats_that_a_file_would_not_bring_back(value: float) -> None:
    """A whole float beyond 2^53 - 1 reads back as an integer that no version may hold: refused
    if it is stored.
    """
    assert isinstance(json.loads(canonical(value)), int)
    with pytest.raises(VersionError, match=r"setting\.x is .* whole number beyond"):
        json_copy({"x": value}, "setting")
    assert json_copy(1e21) == 1e21
