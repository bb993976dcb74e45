"""`promptops prices` shows the list that studies are priced with, and names what it lacks."""

from __future__ import annotations

import json

import pytest

from promptops.cli.__main__ import main


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    """(exit code, standard output, standard error)."""
    with pytest.raises(SystemExit) as ended:
        main(["prices", *words])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_known_models_are_priced_with_tiers_and_batches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each by the name it was asked for, and the list is named."""
    code, out, err = run(capsys, "gpt-5-mini", "openai/gpt-4o", "--json")
    assert code == 0
    first, second = json.loads(out)
    assert (first["input"], first["output"], first["batch input"]) == (0.25, 2.0, 0.125)
    assert "flex" in first["tiers"]
    assert (second["model"], second["listed as"], second["input"]) == (
        "openai/gpt-4o",
        "gpt-4o",
        2.5,
    )
    assert err.startswith("prices of genai-prices ")


def test_a_model_without_a_price_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, with the others shown and the remedy said."""
    code, out, err = run(capsys, "my-llama", "gpt-4o", "--json")
    assert code == 1
    assert [row["model"] for row in json.loads(out)] == ["gpt-4o"]
    assert "my-llama has no list price; give it as prices={'my-llama': (input, output)}." in err
