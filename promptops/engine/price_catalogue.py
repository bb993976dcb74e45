"""The providers' list prices, as the package genai-prices has them: offline, dated by its release,
with tiers, batches and cached tokens.

A name that it does not have is None, never guessed; nothing is fetched from anywhere.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from . import price_cache

__all__ = ["PricedModel", "cost", "dated", "known"]

_STANDARD = frozenset((None, "", "auto", "default", "standard", "standard_only", "on_demand"))
_TIERS = ("service_tier", "processing", "speed")  # what the list calls them, by the provider
_RATES_APART = {
    "input_audio_tokens": "input_audio_mtok",
    "output_audio_tokens": "output_audio_mtok",
    "output_image_tokens": "output_image_mtok",
    "cache_write_1h_tokens": "cache_write_1h_mtok",
    "web_searches": "web_searches_kcount",
    "storage_searches": "storage_searches_kcount",
}
_NOTHING: Mapping[str, int] = MappingProxyType({})
_SHORT = 20_000  # tokens: a longer request may have another rate
_MANY = 1_000  # tokens by which a rate is read: below every threshold of length
_MINUTE = 60  # seconds: prices that depend on the day or the hour change on a minute


class _Rates(NamedTuple):
    """USD per token, exact."""

    input: Decimal
    output: Decimal
    cached: Decimal
    written: Decimal


class PricedModel(NamedTuple):
    """A model that has list prices, in USD per million tokens; None if a rate is not listed.

    spelled: as the list finds it; dated: whether its prices depend on the day or the hour; tiers:
    by what the list asks for each; standard: the exact rates of the standard tier, by which most
    bills are a sum; None if they are not, or change with time.
    """

    spelled: str
    name: str
    provider: str
    dated: bool
    input: float | None
    output: float | None
    cached: float | None
    tiers: Mapping[str, dict[str, str]]
    standard: _Rates | None

    @classmethod
    def listed(cls, name: str, found: Any) -> PricedModel:
        """What the list says of a name that it knows."""
        whens = [dict(each.when) for each in found.model.price_variants or ()]
        tiers = {when[key]: {key: when[key]} for when in whens for key in _TIERS if key in when}
        dated = isinstance(found.model.prices, list)
        return cls(
            name,
            str(found.model.id),
            str(found.provider.name),
            dated,
            _rate(name, input_tokens=_MANY),
            _rate(name, output_tokens=_MANY),
            _rate(name, input_tokens=_MANY, cache_read_tokens=_MANY),
            tiers,
            None if dated else _linear(name, None),
        )

    @classmethod
    def kept(cls, facts: Mapping[str, Any]) -> PricedModel:
        """The model of these `facts`. Raises an error for anything else."""
        rates = facts["standard"]
        exact = None if rates is None else _Rates(*map(Decimal, rates))
        return cls(**{**facts, "standard": exact})

    @property
    def batch(self) -> float | None:
        """Of input in a batch: today's, since tiers begin and end at their own times."""
        batch = self.tiers.get("batch")
        return None if batch is None else _rate(self.spelled, batch, input_tokens=_MANY)

    def facts(self) -> dict[str, Any]:
        """All of it, for JSON."""
        exact = None if self.standard is None else list(map(str, self.standard))
        return {**self._asdict(), "standard": exact}


@functools.lru_cache(maxsize=256)
def known(model: str) -> PricedModel | None:
    """The list prices of a model's name; None if there are none, or no list."""
    before = price_cache.kept(model)
    if before is not None:
        with suppress(Exception):  # it holds something else: the list itself is asked
            return None if before[0] is None else PricedModel.kept(before[0])
    for name in _spellings(model):
        found = _calculated(name, None, {"input_tokens": _MANY})
        if found is not None:
            priced = PricedModel.listed(name, found)
            if not priced.dated:
                price_cache.keep(model, priced.facts())
            return priced
    price_cache.keep(model, None)
    return None


def cost(
    model: str,
    tokens_in: int,
    tokens_out: int,
    *,
    cached: int = 0,
    written: int = 0,
    tier: str | None = None,
    apart: Mapping[str, int] = _NOTHING,
) -> float | None:
    """USD of a call by list prices; None if the model, its tier, or what is billed apart has
    none.

    cached, written: of tokens_in, those read from and written into the provider's cache. tier: as
    it came back; "batch" is a batch. apart: what has a rate of its own, by the list's names.
    """
    found = known(model)
    context = None if found is None else {} if tier in _STANDARD else found.tiers.get(str(tier))
    if found is None or context is None:
        return None
    rates = None if apart else found.standard
    if not apart and (context or found.dated):
        minute = int(time.time()) // _MINUTE if found.dated else None
        rates = _linear(found.spelled, minute, *context.items())
    if rates is not None and cached + written <= tokens_in <= _SHORT >= tokens_out:
        plain = (tokens_in - cached - written) * rates.input + tokens_out * rates.output
        return float(plain + cached * rates.cached + written * rates.written)
    usage = {"input_tokens": tokens_in, "output_tokens": tokens_out}
    if cached:
        usage["cache_read_tokens"] = cached
    if written:
        usage["cache_write_tokens"] = written
    priced = _calculated(found.spelled, context, usage | dict(apart))
    if priced is None or any(_unlisted(found, priced.model_price, kind) for kind in apart):
        return None
    return float(priced.total_price)


def _unlisted(found: PricedModel, rates: object, kind: str) -> bool:
    """Whether the list lacks the rate of what is billed apart, and would count it as nothing or as
    text. Sound that comes in has the rate of text with some providers; OpenAI is not one of them.
    """
    if kind == "input_audio_tokens" and found.provider != "OpenAI":
        return False
    return kind in _RATES_APART and getattr(rates, _RATES_APART[kind], None) is None


@functools.lru_cache(maxsize=256)
def _linear(name: str, minute: int | None, *context: tuple[str, str]) -> _Rates | None:
    """The rates by which a bill of at most `_SHORT` tokens is a sum over them, so that it need
    not be calculated again for each call (which takes as long as the rest of a recorded call). None
    if the list has no rate for something. minute: since 1970, where prices depend on the hour.
    """
    given, whole = dict(context) or None, {"input_tokens": _SHORT}
    at = None if minute is None else datetime.fromtimestamp(minute * _MINUTE, UTC)
    usages = [
        whole,
        {"output_tokens": _SHORT},
        {**whole, "cache_read_tokens": _SHORT},
        {**whole, "cache_write_tokens": _SHORT},
    ]
    found = [_calculated(name, given, usage, at) for usage in usages]
    if any(each is None for each in found):
        return None
    rates = _Rates(*(each.total_price / _SHORT for each in found))
    mixed = {"input_tokens": 3_000, "output_tokens": 700}
    mixed |= {"cache_read_tokens": 500, "cache_write_tokens": 200}
    priced = _calculated(name, given, mixed, at)
    total = 2_300 * rates.input + 700 * rates.output + 500 * rates.cached + 200 * rates.written
    return rates if priced is not None and priced.total_price == total else None


def dated() -> str:
    """Which list the prices are of, as in "genai-prices 0.2.3"; "" if it is not installed."""
    from importlib import metadata

    try:
        return f"genai-prices {metadata.version('genai-prices')}"
    except metadata.PackageNotFoundError:
        return ""


def _spellings(model: str) -> list[str]:
    """A name, and what is left of it without a router's prefix ("openai/gpt-4o")."""
    _, slash, bare = model.rpartition("/")
    return [model, bare] if slash else [model]


def _rate(name: str, context: dict[str, str] | None = None, **usage: int) -> float | None:
    found = _calculated(name, context, usage)
    return None if found is None else round(float(found.total_price) * 1e6 / _MANY, 6)


def _calculated(
    name: str,
    context: dict[str, str] | None,
    usage: Mapping[str, int],
    at: datetime | None = None,
) -> Any:
    """What the list makes of a usage, now or at another time; None if it has no such name, or
    cannot tell.
    """
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    try:
        return calc_price(Usage(**usage), name, price_context=context, genai_request_timestamp=at)
    except (LookupError, ValueError, TypeError):
        return None
