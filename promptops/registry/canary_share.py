"""A canary's share: which keys it gets."""

from __future__ import annotations

from math import isfinite

from ..canonical import number

__all__ = ["in_canary", "key_text"]

SHARES = 10_000  # a canary's percentage is kept to a hundredth


def in_canary(prompt: str, version: str, percent: float, key: object) -> bool:
    """Whether a key falls into the canary's share; the same key always does, and stays in when the
    share widens.

    share = floor(first 32 bits of SHA-256 of "prompt LF version LF key" x 10,000 / 2^32) < percent
    x 100. No key: never. A key that is not text is hashed as its JSON (RFC 8785), so that every
    language gives it the same arm: 1.0 as 1, true.
    """
    shown = key_text(key)
    if shown is None:
        return False
    import hashlib

    text = f"{prompt}\n{version}\n{shown}"
    try:
        data = text.encode()
    except UnicodeEncodeError:  # as other languages encode lone surrogates: U+FFFD for each
        data = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "big") * SHARES // 2**32 < round(
        percent * 100
    )


def key_text(key: object) -> str | None:
    """What of a key is hashed; None for a missing one, as NaN is in a table, and for one that has
    no text, such as lists that are nested too deep: it gets the version that everybody gets.
    """
    try:
        return _text(key)
    except Exception:
        return None


def _text(key: object) -> str | None:
    if isinstance(key, str):
        return str.__str__(key)  # an enum of text is its text
    if key is None:
        return None
    if getattr(key, "shape", None) == () and getattr(getattr(key, "dtype", None), "kind", "") in (
        "b",
        "f",
    ):
        # numpy's own boolean or float, as the value that it is
        key = key.item()  # type: ignore[attr-defined]
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return int.__repr__(
            key
        )  # not limited to 2^53 - 1: ids of 64 bits are digits in every language
    if isinstance(key, float):
        return number(key) if isfinite(key) else None
    return str(key)
