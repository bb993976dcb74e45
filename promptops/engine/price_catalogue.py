"""The providers' list prices, as the package genai-prices has them: offline, dated by its release,
with tiers, batches and cached tokens.

A name that it does not have is None, never guessed; nothing is fetched from anywhere.
"""

from __future__ import annotations

import functools
from decimal import Decimal
from importlib import metadata
from typing import Any, NamedTuple

__all__ = ["Known", "cost", "dated", "known"]

_STANDARD = frozenset((None, "", "auto", "default", "standard", "standard_only", "on_demand"))
_SHORT = 20_000  # tokens: a longer request may have another rate
_MANY = 1_000  # tokens by which a rate is read: below every threshold of length


class Known:
    """A model that has list prices, in USD per million tokens; None where a rate is not listed."""

    __slots__ = ("batch", "cached", "input", "name", "output", "provider", "spelled", "tiers")

    def __init__(self, name: str, found: Any) -> None:
        self.spelled = name  # as the list finds it
        self.name, self.provider = str(found.model.id), str(found.provider.name)
        self.input = _rate(name, input_tokens=_MANY)
        self.output = _rate(name, output_tokens=_MANY)
        self.cached = _rate(name, input_tokens=_MANY, cache_read_tokens=_MANY)
        variants = [dict(each.when) for each in found.model.price_variants or ()]
        self.tiers = frozenset(w["service_tier"] for w in variants if "service_tier" in w)
        batched = any(w.get("processing") == "batch" for w in variants)
        self.batch = _rate(name, {"processing": "batch"}, input_tokens=_MANY) if batched else None


@functools.lru_cache(maxsize=256)
def known(model: str) -> Known | None:
    """The list prices of a model's name; None where there are none, or no list."""
    for name in _spellings(model):
        found = _calculated(name, None, input_tokens=_MANY)
        if found is not None:
            return Known(name, found)
    return None


def cost(
    model: str,
    tokens_in: int,
    tokens_out: int,
    *,
    cached: int = 0,
    written: int = 0,
    tier: str | None = None,
) -> float | None:
    """USD of a call by list prices; None where the model or its tier has none.

    cached, written: of tokens_in, those read from and written into the provider's cache. tier: as
    it came back; "batch" is a batch.
    """
    found = known(model)
    if found is None:
        return None
    context: dict[str, str] | None = None
    if tier == "batch":
        if found.batch is None:
            return None
        context = {"processing": "batch"}
    elif tier not in _STANDARD:
        if tier not in found.tiers:
            return None
        context = {"service_tier": str(tier)}
    rates = _linear(found.spelled, *(context or {}).items())
    if rates is not None and cached + written <= tokens_in <= _SHORT >= tokens_out:
        plain = (tokens_in - cached - written) * rates.input + tokens_out * rates.output
        return float(plain + cached * rates.cached + written * rates.written)
    usage = {"input_tokens": tokens_in, "output_tokens": tokens_out}
    if cached:
        usage["cache_read_tokens"] = cached
    if written:
        usage["cache_write_tokens"] = written
    priced = _calculated(found.spelled, context, **usage)
    return None if priced is None else float(priced.total_price)


class _Rates(NamedTuple):
    """USD per token, exact."""

    input: Decimal
    output: Decimal
    cached: Decimal
    written: Decimal


@functools.lru_cache(maxsize=256)
def _linear(name: str, *context: tuple[str, str]) -> _Rates | None:
    """The rates by which a bill of at most `_SHORT` tokens is a sum over them, so that it need
    not be calculated again for each call (which takes as long as the rest of a recorded call). None
    where a price depends on the hour, or the list has no rate for something.
    """
    given, whole = dict(context) or None, {"input_tokens": _SHORT}
    usages = [
        whole,
        {"output_tokens": _SHORT},
        {**whole, "cache_read_tokens": _SHORT},
        {**whole, "cache_write_tokens": _SHORT},
    ]
    found = [_calculated(name, given, **usage) for usage in usages]
    if any(each is None for each in found) or isinstance(found[0].model.prices, list):
        return None
    rates = _Rates(*(each.total_price / _SHORT for each in found))
    mixed = {"input_tokens": 3_000, "output_tokens": 700}
    mixed |= {"cache_read_tokens": 500, "cache_write_tokens": 200}
    priced = _calculated(name, given, **mixed)
    total = 2_300 * rates.input + 700 * rates.output + 500 * rates.cached + 200 * rates.written
    return rates if priced is not None and priced.total_price == total else None


def dated() -> str:
    """Which list the prices are of, as in "genai-prices 0.2.3"; "" where it is not installed."""
    try:
        return f"genai-prices {metadata.version('genai-prices')}"
    except metadata.PackageNotFoundError:
        return ""


def _spellings(model: str) -> list[str]:
    """A name, and what is left of it without a router's prefix ("openai/gpt-4o")."""
    _, slash, bare = model.rpartition("/")
    return [model, bare] if slash else [model]


def _rate(name: str, context: dict[str, str] | None = None, **usage: int) -> float | None:
    found = _calculated(name, context, **usage)
    return None if found is None else round(float(found.total_price) * 1e6 / _MANY, 6)


def _calculated(name: str, context: dict[str, str] | None, **usage: int) -> Any:
    """What the list makes of a usage; None where it has no such name, or cannot tell."""
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    try:
        return calc_price(Usage(**usage), name, price_context=context)
    except (LookupError, ValueError, TypeError):
        return None
