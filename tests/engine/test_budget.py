"""Money and tokens are reserved before a call is sent; the most that can be overspent is what the
calls in flight cost.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from promptops.engine.budget import Budget, estimate_tokens

REQUEST = {"messages": [{"role": "user", "content": "x" * 400}], "max_tokens": 50}
PRICES = {"m": (10.0, 20.0)}


def test_a_reservation_is_the_input_by_its_characters_and_the_output_by_its_limit() -> None:
    """Tokens are characters / 4; the output is max_tokens until five answers were seen, then the
    largest of them.
    """

    async def story() -> None:
        budget = Budget(tokens=10_000, prices=PRICES)
        ticket = await budget.reserve("m", REQUEST)
        assert ticket is not None
        assert ticket.tokens == estimate_tokens(REQUEST) + 50
        assert ticket.usd == pytest.approx((estimate_tokens(REQUEST) * 10 + 50 * 20) / 1e6)
        budget.settle(ticket, 0.01, 100, 7)
        for _ in range(4):
            ticket = await budget.reserve("m", REQUEST)
            assert ticket is not None
            budget.settle(ticket, 0.01, 100, 9)
        ticket = await budget.reserve("m", REQUEST)
        assert ticket is not None
        assert ticket.tokens == estimate_tokens(REQUEST) + 9
        assert budget.spent_usd == pytest.approx(0.05)
        assert budget.spent_tokens == 100 * 5 + 7 + 4 * 9

    asyncio.run(story())


def test_a_reply_without_usage_costs_its_reservation_never_nothing() -> None:
    """Unknown is not zero: what is not told is taken to have cost what was held back."""

    async def story() -> None:
        budget = Budget(usd=1.0, prices=PRICES)
        ticket = await budget.reserve("m", REQUEST)
        assert ticket is not None
        budget.settle(ticket, None, None, None)
        assert budget.spent_usd == ticket.usd > 0
        assert budget.spent_tokens == ticket.tokens > 0

    asyncio.run(story())


@pytest.mark.parametrize("seed", range(20))
def test_overspending_is_at_most_what_the_calls_in_flight_cost(seed: int) -> None:
    """Answers up to three times their reservation, 1 to 30 in flight: spent <= budget + the dearest
    calls that were in flight.
    """
    rng = random.Random(seed)
    width, limit = rng.randint(1, 30), rng.randint(500, 20_000)

    async def story() -> tuple[int, int]:
        budget, dearest = Budget(tokens=limit), 0

        async def worker() -> None:
            nonlocal dearest
            while (ticket := await budget.reserve("m", REQUEST)) is not None:
                assert budget.spent_tokens + ticket.tokens <= limit
                await asyncio.sleep(0)
                used = rng.randint(1, 3 * ticket.tokens)
                dearest = max(dearest, used)
                budget.settle(ticket, 0.0, used, 0)

        await asyncio.gather(*(worker() for _ in range(width)))
        return budget.spent_tokens, dearest

    spent, dearest = asyncio.run(story())
    assert spent <= limit + width * dearest
    assert spent > limit * 0.3


def test_a_call_waits_for_those_in_flight_before_it_is_refused() -> None:
    """What is held back by a call that turns out cheaper is there for the next one."""

    async def story() -> None:
        budget = Budget(tokens=200)
        first = await budget.reserve("m", REQUEST)
        assert first is not None
        waiting = asyncio.create_task(budget.reserve("m", REQUEST))
        await asyncio.sleep(0)
        assert not waiting.done()
        budget.settle(first, 0.0, 10, 5)
        second = await waiting
        assert second is not None
        budget.settle(second, 0.0, 100, 50)
        assert await budget.reserve("m", REQUEST) is None
        assert "165 of 200 tokens spent" in budget.reason()

    asyncio.run(story())


def test_pictures_are_counted_as_tokens_not_as_bytes() -> None:
    """A megabyte of base64 is a picture of some 1,000 tokens."""
    picture = {
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64," + "A" * 10**6},
                    }
                ],
            }
        ]
    }
    assert 900 < estimate_tokens(picture) < 1100
