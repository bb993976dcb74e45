"""What a study by batches, or of another tier, would cost, before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptops.lab import Lab
from promptops.models.endpoint import EndpointModel

ROWS = [{"q": f"question number {number}"} for number in range(20)]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    model = EndpointModel(base_url="http://127.0.0.1:9/v1")
    return Lab(tmp_path, models={"gpt-5-mini": model, "m": model}, prices={"m": (1, 2)})


@pytest.mark.parametrize("name", ["gpt-5-mini", "m"])
def test_a_batch_costs_half(lab: Lab, name: str) -> None:
    """By the list's price of a batch as by the caller's own; it is back within a day."""
    version = lab.prompt("p").save("Answer {{q}}", model=name)
    whole, half = lab.estimate([version], ROWS), lab.estimate([version], ROWS, batch=True)
    assert whole.cost_usd is not None
    assert half.cost_usd == pytest.approx([end / 2 for end in whole.cost_usd])
    assert half.calls == whole.calls == 20
    assert "by batches, within a day" in repr(half)
    assert "batch" not in repr(whole)


def test_a_tier_has_its_own_price(lab: Lab) -> None:
    """Flex is half of the standard price; a tier that nobody lists has none."""
    prompt = lab.prompt("p")
    plain = prompt.save("Answer {{q}}", model="gpt-5-mini")
    flex, odd = (prompt.save(plain.version.but(service_tier=t)) for t in ("flex", "odd"))
    whole, cheap = (lab.estimate([each], ROWS).cost_usd for each in (plain, flex))
    assert whole is not None
    assert cheap == pytest.approx([end / 2 for end in whole])
    assert lab.estimate([odd], ROWS).cost_usd is None
