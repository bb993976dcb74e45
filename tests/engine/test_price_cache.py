"""What was read from the list of prices is kept for later processes, and never instead of a list
that says something else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.engine import price_cache, price_catalogue

genai_prices = pytest.importorskip("genai_prices")
known = price_catalogue.known.__wrapped__


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where prices are kept."""
    monkeypatch.setenv("PROMPTOPS_CACHE", str(tmp_path / "cache"))
    price_catalogue.known.cache_clear()
    return tmp_path / "cache" / "prices.json"


def test_a_later_process_bills_alike_and_reads_no_list(place: Path) -> None:
    """A model with a price and one without: the second process does not import the list, and works
    out the same; a bill that is no plain sum is the list's own.
    """
    code = (
        "import sys; from promptops.engine import price_catalogue as p;"
        " print([p.cost(name, 900, 40, cached=300) for name in ('openai/gpt-4o', 'my-llama')],"
        " 'genai_prices' in sys.modules, p.cost('gpt-4o', 150_000, 7, tier='batch'))"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert first.stdout.startswith("[0.002275, None] True 0.1875")
    assert second.stdout == first.stdout.replace("True", "False")
    assert place.stat().st_mode & 0o777 == 0o600


def _not_this_list(text: str) -> str:
    return json.dumps({**json.loads(text), "list": ["elsewhere", 1, 2]})


def _another_form(text: str) -> str:
    return json.dumps({**json.loads(text), "format": 99})


def _half_of_a_model(text: str) -> str:
    return json.dumps({**json.loads(text), "models": {"gpt-4o": {"input": 9.0}}})


def _of_another_kind(text: str) -> str:
    return json.dumps({**json.loads(text), "models": {"gpt-4o": 9.0}})


@pytest.mark.parametrize(
    "change",
    [
        _not_this_list,
        _another_form,
        _half_of_a_model,
        _of_another_kind,
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda _: "null",
    ],
)
def test_what_is_not_of_this_list_is_read_anew(place: Path, change: Callable[[str], str]) -> None:
    """Of another release, of a later form, torn or odd: the price is the list's, and is kept."""
    assert known("gpt-4o") is not None
    good = place.read_text()
    said = change(good.replace('"input": 2.5', '"input": 99.0'))
    place.write_text(said)
    found = known("gpt-4o")
    assert found is not None
    assert found.input == 2.5
    kept = price_cache.kept("gpt-4o")
    assert kept is not None
    assert kept[0] is not None
    assert kept[0]["input"] == 2.5


def test_a_file_that_others_may_write_is_not_read(place: Path) -> None:
    """Anybody could have put any price there."""
    assert known("gpt-4o") is not None
    assert price_cache.kept("gpt-4o") is not None
    place.chmod(0o666)
    assert price_cache.kept("gpt-4o") is None


def test_a_price_that_follows_the_hour_is_not_kept(place: Path) -> None:
    """The list is asked again for a model whose price changes with time."""
    found = known("deepseek-chat")
    assert found is not None
    assert found.dated
    assert price_cache.kept("deepseek-chat") is None


def test_a_list_that_was_brought_up_to_date_is_asked_itself(place: Path) -> None:
    """Where the process has newer prices than the installed file, what was kept of the file does
    not count, and nothing of the newer list is kept for it.
    """
    from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

    assert known("gpt-4o") is not None
    before = place.read_bytes()
    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        assert price_cache.kept("gpt-4o") is None
        assert known("gpt-4o") is None
        assert place.read_bytes() == before
    finally:
        set_custom_snapshot(None)
    assert price_cache.kept("gpt-4o") is not None


def test_without_a_place_of_its_own_nothing_is_kept(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No HOME, or a file where the folder would be: prices are as ever."""
    monkeypatch.delenv("PROMPTOPS_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    assert known("gpt-4o") is not None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PROMPTOPS_CACHE", str(tmp_path / "file"))
    assert known("gpt-4o") is not None
    assert price_cache.kept("gpt-4o") is None
    assert not place.exists()
