"""Money and tokens: reserved before a call is sent, settled after it, so that a sweep cannot
overspend unseen.

A call is sent only while spent + reserved + its own reservation fits. The most that a sweep can go
over is what the calls in flight cost beyond their reservations. A reply without usage is settled at
its reservation, never at zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ..run import Run
from .prices import Price, Spent, bill, cost_of, price_of
from .question import Limits

__all__ = ["CHARACTERS_PER_TOKEN", "Budget", "Ticket", "counted", "estimate_tokens", "used_up"]

CHARACTERS_PER_TOKEN = 4  # an estimate for English text; other scripts take more tokens
_IMAGE = 1000  # tokens counted for a picture that is sent along, whatever its bytes
_FIRST_OUTPUT = (
    1000  # tokens reserved for an answer while none was seen and the request sets no limit
)
_TRUSTED = 5  # answers seen before the largest of them replaces that reservation


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is reserved for one attempt."""

    model: str
    usd: float
    tokens: int


class Budget:
    """The ledger of one sweep. usd, tokens: what may be spent; None: no limit; earlier: USD and
    tokens of the same budget that were spent before.

    Used on one event loop.
    """

    def __init__(
        self,
        usd: float | None = None,
        tokens: int | None = None,
        prices: Mapping[str, object] | None = None,
        earlier: tuple[float, int] = (0.0, 0),
    ) -> None:
        self.usd, self.tokens = usd, tokens
        self._earlier_usd, self._earlier_tokens = earlier
        self.spent_usd, self.spent_tokens = 0.0, 0
        self._held_usd, self._held_tokens, self._open = 0.0, 0, 0
        self._prices, self._known = prices, dict[str, Price | None]()
        self._largest = dict[str, tuple[int, int]]()  # model -> answers seen, most output tokens
        self._settled = asyncio.Event()

    @classmethod
    def of(cls, limits: Limits) -> Budget:
        """The ledger of a sweep with these limits."""
        earlier = limits.earlier_usd, limits.earlier_tokens
        return cls(limits.budget_usd, limits.budget_tokens, limits.prices, earlier)

    @property
    def committed(self) -> tuple[float, int]:
        """(USD, tokens) that are spent, or held for what is on its way."""
        return self.spent_usd + self._held_usd, self.spent_tokens + self._held_tokens

    @property
    def limited(self) -> bool:
        return self.usd is not None or self.tokens is not None

    def price(self, model: str) -> Price | None:
        """The price of a model, looked up once; None if it is unknown."""
        if model not in self._known:
            self._known[model] = price_of(model, self._prices)
        return self._known[model]

    def bill(self, model: str, spent: Spent) -> float | None:
        """USD of an answered call; None if it is unknown. A fault of the prices costs no
        answer.
        """
        try:
            return bill(model, spent, self._prices)
        except Exception:  # a list of others, and nothing that an answer is to be lost for
            return None

    def hold(
        self,
        model: str,
        request: Mapping[str, object],
        share: float = 1.0,
        *,
        sent: bool = False,
    ) -> Ticket | None:
        """Hold back what this call may cost; None if it does not fit now. share: of the list
        price, as of a batch; sent: it is on its way already, and held whether it fits or not.
        """
        full = self._ticket(model, request)
        ticket = Ticket(model, full.usd * share, full.tokens)
        if not sent and not self._fits(ticket):
            return None
        self._held_usd += ticket.usd
        self._held_tokens += ticket.tokens
        self._open += 1
        return ticket

    async def reserve(self, model: str, request: Mapping[str, object]) -> Ticket | None:
        """Hold back what this call may cost; None when it does not fit even after all calls in
        flight have settled.
        """
        while True:
            ticket = self.hold(model, request)
            if ticket is not None:
                return ticket
            if self._open == 0:
                return None
            self._settled.clear()
            await self._settled.wait()

    def settle(
        self, ticket: Ticket, usd: float | None, tokens_in: int | None, tokens_out: int | None
    ) -> None:
        """Replace a reservation by what was spent. Unknown parts count as reserved."""
        self._held_usd -= ticket.usd
        self._held_tokens -= ticket.tokens
        self._open -= 1
        known = tokens_in is not None and tokens_out is not None
        self.spent_tokens += (tokens_in or 0) + (tokens_out or 0) if known else ticket.tokens
        self.spent_usd += ticket.usd if usd is None else usd
        if tokens_out:
            seen, most = self._largest.get(ticket.model, (0, 0))
            self._largest[ticket.model] = (seen + 1, max(most, tokens_out))
        self._settled.set()

    def reason(self) -> str:
        """Why no further call is sent, one sentence."""
        return used_up(
            (self._earlier_usd, self.spent_usd, self.usd),
            (self._earlier_tokens, self.spent_tokens, self.tokens),
        )

    def _fits(self, ticket: Ticket) -> bool:
        if self.usd is not None and self.spent_usd + self._held_usd + ticket.usd > self.usd:
            return False
        return (
            self.tokens is None
            or self.spent_tokens + self._held_tokens + ticket.tokens <= self.tokens
        )

    def _ticket(self, model: str, request: Mapping[str, object]) -> Ticket:
        tokens_in = estimate_tokens(request)
        cap = _limit(request)
        seen, most = self._largest.get(model, (0, 0))
        tokens_out = (
            most if seen >= _TRUSTED else max(most, cap if cap is not None else _FIRST_OUTPUT)
        )
        if cap is not None:
            tokens_out = min(tokens_out, cap)
        usd = cost_of(self.price(model), tokens_in, tokens_out) or 0.0
        return Ticket(model, usd, tokens_in + tokens_out)


def used_up(
    usd: tuple[float, float, float | None], tokens: tuple[int, int, int | None], where: str = ""
) -> str:
    """Why no further call is sent, one sentence, of what was spent earlier, what was spent since,
    and the limit of that, None if there is none; "" without a limit. where: of what is spent.
    """
    parts = []
    earlier, spent, most = usd
    if most is not None:
        parts.append(f"{earlier + spent:.4f} of {earlier + most:g} USD")
    before, taken, limit = tokens
    if limit is not None:
        parts.append(f"{before + taken:,} of {before + limit:,} tokens")
    if not parts:
        return ""
    return (
        f"the budget is used up ({' and '.join(parts)} spent{where}; the next call may not fit);"
        " raise it and run again to go on."
    )


def counted(
    run: Run, characters: int, prices: Mapping[str, object] | None = None
) -> tuple[float, int]:
    """(USD, tokens) of a run as a budget counts them: by its characters where the model reports no
    usage, since what is unknown is not free. characters: of the request; USD is 0.0 where the price
    is unknown too.
    """
    said = len(run.output or "")
    if run.tokens_in is None and run.tokens_out is None:
        tokens = (characters + said) // CHARACTERS_PER_TOKEN
    else:
        tokens = (run.tokens_in or 0) + (run.tokens_out or 0)
    if run.cost_usd is not None:
        return run.cost_usd, tokens
    sent = characters // CHARACTERS_PER_TOKEN if run.tokens_in is None else run.tokens_in
    out = said // CHARACTERS_PER_TOKEN if run.tokens_out is None else run.tokens_out
    return cost_of(price_of(run.model, prices), sent, out) or 0.0, tokens


def estimate_tokens(request: Mapping[str, object]) -> int:
    """Input tokens of a request by its characters / 4: an estimate, at least 1."""
    return max(
        1,
        _characters([request.get("messages"), request.get("tools"), request.get("response_format")])
        // CHARACTERS_PER_TOKEN,
    )


def _characters(value: object) -> int:
    if isinstance(value, str):
        return _IMAGE * CHARACTERS_PER_TOKEN if value.startswith("data:") else len(value)
    if isinstance(value, Mapping):
        return sum(len(str(key)) + _characters(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return sum(_characters(item) for item in value)
    return 0


def _limit(request: Mapping[str, object]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = request.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
