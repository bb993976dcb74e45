"""What a call costs: the caller's own prices first, then the providers' list prices as
genai-prices has them, else a small dated table for where that package is not installed.

An unknown price is None, never zero. USD per million tokens: input, output, cached input (None: not
known, and cached tokens count as input).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import SetupError
from ..models.protocol import Reply
from . import price_catalogue

__all__ = [
    "BATCH_SHARE",
    "DATED",
    "PRICES",
    "Price",
    "Spent",
    "bill",
    "check_money",
    "check_prices",
    "cost_of",
    "cost_of_failure",
    "prepare_prices",
    "price_of",
]

# when the table was last compared with the providers' pages; prices change: pass `prices={...}`
DATED = "2025-08-07"


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float
    cached: float | None = None


PRICES: Mapping[str, Price] = {
    "gpt-5": Price(1.25, 10.0, 0.125),
    "gpt-5-mini": Price(0.25, 2.0, 0.025),
    "gpt-5-nano": Price(0.05, 0.4, 0.005),
    "gpt-4.1": Price(2.0, 8.0, 0.5),
    "gpt-4.1-mini": Price(0.4, 1.6, 0.1),
    "gpt-4.1-nano": Price(0.1, 0.4, 0.025),
    "gpt-4o": Price(2.5, 10.0, 1.25),
    "gpt-4o-mini": Price(0.15, 0.6, 0.075),
    "gpt-4-turbo": Price(10.0, 30.0),
    "gpt-4": Price(30.0, 60.0),
    "gpt-3.5-turbo": Price(0.5, 1.5),
    "o1": Price(15.0, 60.0, 7.5),
    "o3": Price(2.0, 8.0, 0.5),
    "o3-mini": Price(1.1, 4.4, 0.55),
    "o4-mini": Price(1.1, 4.4, 0.275),
    "claude-opus-4": Price(15.0, 75.0, 1.5),
    "claude-sonnet-4": Price(3.0, 15.0, 0.3),
    "claude-3-7-sonnet": Price(3.0, 15.0, 0.3),
    "claude-3-5-sonnet": Price(3.0, 15.0, 0.3),
    "claude-3-5-haiku": Price(0.8, 4.0, 0.08),
    "claude-3-haiku": Price(0.25, 1.25, 0.03),
    "gemini-2.5-flash": Price(0.3, 2.5, 0.075),
    "gemini-2.5-flash-lite": Price(0.1, 0.4, 0.025),
    "gemini-2.0-flash": Price(0.1, 0.4, 0.025),
}
BATCH_SHARE = 0.5  # of the list price: what OpenAI, Anthropic and Google take for a batch
_UNBILLED = frozenset(
    (
        *(
            "rate_limit",
            "timeout_connect",
            "server_error",
            "overloaded",
            "quota_exhausted",
            "auth",
            "permission",
        ),
        *("not_found_model", "bad_request", "context_length", "content_filter_input"),
    )
)
_GATEWAY_GAVE_UP = (504, 524)  # while the model behind it may have gone on
_NEVER_STOOD = frozenset(  # names of the exceptions in which connecting itself failed
    (
        "ConnectionRefusedError",
        "gaierror",
        "ClientConnectorError",
        "ClientConnectorDNSError",
        "SSLCertVerificationError",
    )
)
_DATE = re.compile(
    r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$"
)  # gpt-4o-2024-08-06, claude-sonnet-4-20250514, ...-latest


def price_of(model: str, prices: Mapping[str, object] | None = None) -> Price | None:
    """The price of a model's name: the caller's `prices` first, then the list prices of the
    standard tier; None if neither knows it.

    prices: name -> Price, {"input", "output", "cached"} or (input, output[, cached]); USD per
    million tokens. A dated name (gpt-4o-2024-08-06) has the price of its family; no other name is
    guessed. Raises SetupError for any other entry.
    """
    family = _DATE.sub("", model)
    for name in (model, family):
        if prices is not None and name in prices:
            return _price(name, prices[name])
    listed = price_catalogue.known(model)
    if listed is not None and listed.input is not None and listed.output is not None:
        return Price(listed.input, listed.output, listed.cached)
    return PRICES.get(model) or PRICES.get(family)


def prepare_prices(model: str) -> None:
    """Begin to read the list price of a model in another thread, before the first answers are in.

    Importing the list takes a fifth of a second, in which the loop would be blocked.
    """
    asyncio.get_running_loop().run_in_executor(None, _looked_up, model)


def _looked_up(model: str) -> None:
    with suppress(Exception):  # a fault of the list is met again where a call is billed
        price_catalogue.known(model)


class Spent(NamedTuple):
    """What a reply says of its own cost. model: the name that answered; tokens_cached and
    tokens_cache_write: of tokens_in; tier: as it came back; apart: what has a rate of its own.
    """

    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None = None
    tokens_cache_write: int | None = None
    tier: str | None = None
    apart: Mapping[str, int] = MappingProxyType({})

    @classmethod
    def of(cls, reply: Reply) -> Spent:
        """What a reply reports."""
        return cls(
            reply.model,
            reply.tokens_in,
            reply.tokens_out,
            reply.tokens_cached,
            reply.tokens_cache_write,
            reply.service_tier,
            reply.billed_apart,
        )


def bill(asked: str, spent: Spent, prices: Mapping[str, object] | None = None) -> float | None:
    """USD of an answered call: by the caller's price of the name that was asked for, else by the
    list price of the model that answered, its tier and its cached tokens. In a batch the caller's
    price counts half.

    None if the price, the tier or a token count is unknown; never an error.
    """
    tokens_in, tokens_out = spent.tokens_in, spent.tokens_out
    if tokens_in is None or tokens_out is None:
        return None
    share = BATCH_SHARE if spent.tier == "batch" else 1.0
    for name in (asked, spent.model) if prices is not None else ():
        if name and prices is not None and (name in prices or _DATE.sub("", name) in prices):
            whole = cost_of(price_of(name, prices), tokens_in, tokens_out, spent.tokens_cached)
            return None if whole is None else whole * share
    # a deployment's own name says nothing, what answered does
    for name in (spent.model, asked):
        if name and price_catalogue.known(name) is not None:
            return price_catalogue.cost(
                name,
                tokens_in,
                tokens_out,
                cached=spent.tokens_cached or 0,
                written=spent.tokens_cache_write or 0,
                tier=spent.tier,
                apart=spent.apart,
            )
    whole = cost_of(price_of(asked), tokens_in, tokens_out, spent.tokens_cached)
    return None if whole is None else whole * share


def cost_of(
    price: Price | None,
    tokens_in: int | None,
    tokens_out: int | None,
    tokens_cached: int | None = None,
) -> float | None:
    """USD of a call; None if the price or a token count is unknown. tokens_cached: those of
    tokens_in read from cache.
    """
    if price is None or tokens_in is None or tokens_out is None:
        return None
    cached = min(tokens_cached or 0, tokens_in) if price.cached is not None else 0
    return (
        (tokens_in - cached) * price.input
        + cached * (price.cached or 0.0)
        + tokens_out * price.output
    ) / 1e6


def cost_of_failure(failure: str, status: int | None, code: str | None) -> float | None:
    """USD of an attempt at an endpoint that failed: 0.0 if it was certainly not billed, None
    if it may have been.

    Refused before anything was generated (a limit, a key, a request, a connection that never stood)
    costs nothing. What was sent and then broke off, timed out or came back unreadable may have been
    answered, and be on the bill.
    """
    if failure == "connection":
        return 0.0 if code in _NEVER_STOOD else None
    if failure == "server_error" and (
        status in _GATEWAY_GAVE_UP or (status is not None and status < 300)
    ):
        return None
    return 0.0 if failure in _UNBILLED else None


def check_money(models: Iterable[str], prices: Mapping[str, object] | None = None) -> None:
    """Raise SetupError, naming them, if a budget in USD meets models without a known price."""
    unknown = sorted({name for name in models if price_of(name, prices) is None})
    if unknown:
        raise SetupError(
            f"a budget in USD needs the price of {', '.join(map(repr, unknown))}, which is"
            " unknown; "
            f'pass prices={{"{unknown[0]}": (input, output)}} in USD per million tokens, or budget'
            " in tokens."
        )


def check_prices(prices: Any) -> None:
    """Raises SetupError if `prices` is not a map from models' names to prices, or holds a price
    that is not one; None means that there are no prices.
    """
    if prices is not None and not hasattr(prices, "keys"):
        raise SetupError(
            f'prices is a {type(prices).__name__}; expected a map, as in prices={{"gpt-4o": (2.5,'
            " 10.0)}, in USD per million tokens."
        )
    for name in prices or ():
        price_of(name, prices)


def _price(name: str, entry: Any) -> Price:
    try:
        price = (
            entry
            if isinstance(entry, Price)
            else Price(**entry)
            if hasattr(entry, "keys")
            else Price(*entry)
        )
        cached = None if price.cached is None else float(price.cached)
        price = Price(float(price.input), float(price.output), cached)  # text, as from YAML, too
        numbers = [part for part in (price.input, price.output, price.cached) if part is not None]
    except (TypeError, ValueError):
        price, numbers = Price(0.0, 0.0), [-1.0]
    if not all(0 <= part < float("inf") for part in numbers):
        raise SetupError(
            f"the price of {name!r} is {entry!r}; give (input, output) or (input, output, cached)"
            " in USD per million tokens."
        )
    return price
