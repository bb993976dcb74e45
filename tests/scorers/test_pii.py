"""Personal data by patterns: what is found, what is not, and never the data itself in a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import ScorerError
from promptops.score import Score
from promptops.scorers import no_pii, try_out
from tests.quick import quick

HOLDS = [
    ("write to lee.chan+x@mail.example.co.uk", "email"),
    ("card 4111 1111 1111 1111", "card"),
    ("card 4111-1111-1111-1111.", "card"),
    ("5500000000000004", "card"),
    ("IBAN DE89 3704 0044 0532 0130 00", "iban"),
    ("GB82WEST12345698765432", "iban"),
    ("SSN 123-45-6789", "ssn"),
    ("call (415) 555-2671", "phone"),
    ("call 415-555-2671", "phone"),
    ("call +44 20 7946 0958", "phone"),
    ("call +14155552671", "phone"),
    ("from 8.8.8.8", "ip"),
]
HOLDS_NOT = [
    "Order 4111 1111 1111 1112 shipped",  # the check digit is wrong
    "GB82WEST12345698765433",
    "version 1.2.3.4.5",
    "on 2024-05-06 at 10:30",
    "it costs 1,234.50 for 12 pieces",
    "@handle and a@b",
    "000-12-3456",
    "from 127.0.0.1 and 192.168.0.1 and 999.1.1.1",
    "0000000000000000",
    "",
]


@pytest.mark.parametrize(("text", "kind"), HOLDS)
def test_found(text: str, kind: str) -> None:
    """Each kind is found, counted and named, and the reason never repeats the data."""
    found = try_out(no_pii(), text)
    assert isinstance(found, Score)
    assert found.passed is False
    assert kind in found.reason
    assert found.raw_value is not None
    assert found.raw_value >= 1
    assert not any(word in found.reason for word in text.split() if any(map(str.isdigit, word)))
    assert not try_out(no_pii(kind), text).passed  # type: ignore[union-attr]


@pytest.mark.parametrize("text", HOLDS_NOT)
def test_not_found(text: str) -> None:
    """Wrong check digits, private addresses, dates and prices are no personal data."""
    found = try_out(no_pii(), text)
    assert isinstance(found, Score)
    assert found.passed, found.reason


def test_kinds() -> None:
    """Only the kinds that are named are looked for; unknown ones are refused."""
    assert try_out(no_pii("email"), "call 415-555-2671").passed  # type: ignore[union-attr]
    with pytest.raises(ScorerError, match="no kind 'name'"):
        no_pii("name")


@given(st.text())
def test_any_text(text: str) -> None:
    """No text raises."""
    assert isinstance(try_out(no_pii(), text), Score)


@pytest.mark.parametrize("piece", ["1", "1 ", "1-", "a.", "a@b.", "AB12", "+1 ", "@", "1."])
def test_long_texts(piece: str) -> None:
    """Texts of a megabyte that almost match take a moment: no pattern can blow up."""
    with quick(10):
        try_out(no_pii(), piece * (1_000_000 // len(piece)) + "!")
