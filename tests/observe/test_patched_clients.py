"""Law: a class of the client that a tracer or an application's test patches after `observe` is
called as patched, and as it was once the patch is gone: no test of an application asks a provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from openai.resources.chat import AsyncCompletions, Completions
from openai.resources.responses import Responses

import promptops
from promptops.observe.open_queues import open_queue
from tests.observe.live_rows_of import async_client, client, rows_of

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "live"
    open_queue(str(tmp_path / "live")).close()


def models(folder: Path) -> list[object]:
    assert open_queue(str(folder)).flush(30)
    return [row.get("model_returned") for row in rows_of(folder)]


def test_a_mocked_class_is_not_passed_by(folder: Path) -> None:
    c = promptops.observe(client(), sink=str(folder))
    fake = mock.Mock(id="fake", model="fake-model", choices=[])
    with mock.patch.object(Completions, "create", return_value=fake) as create:
        assert c.chat.completions.create(**ASKED) is fake
    create.assert_called_once_with(**ASKED)
    with mock.patch.object(Responses, "create", return_value="said") as create:
        assert c.responses.create(model="m", input="hello") == "said"
    create.assert_called_once()
    assert c.chat.completions.create(**ASKED).choices[0].message.content == "billing"
    assert models(folder) == ["fake-model", None, "gpt-6-mini-2026"]


def test_an_asynchronous_class_and_a_stream(folder: Path) -> None:
    c = promptops.observe(async_client(), sink=str(folder))
    fake = mock.Mock(id="fake", model="fake-model", choices=[])
    with mock.patch.object(AsyncCompletions, "create", mock.AsyncMock(return_value=fake)):
        assert asyncio.run(c.chat.completions.create(**ASKED)) is fake
    with mock.patch.object(AsyncCompletions, "stream", return_value="managed"):
        assert c.chat.completions.stream(**ASKED) == "managed"
    assert models(folder) == ["fake-model"]


def test_a_tracer_that_comes_later_sees_the_call(folder: Path, monkeypatch: Any) -> None:
    c = promptops.observe(client(), sink=str(folder))
    seen, original = [], Completions.create

    def traced(self: Completions, *args: Any, **kwargs: Any) -> Any:
        seen.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Completions, "create", traced)
    assert c.chat.completions.create(**ASKED).id == "chatcmpl-1"
    assert seen == [c.chat.completions]
    monkeypatch.undo()
    assert c.chat.completions.create(**ASKED).id == "chatcmpl-1"
    assert len(seen) == 1
    assert models(folder) == ["gpt-6-mini-2026"] * 2


def test_a_client_that_is_observed_under_a_patch_is_real_after_it(
    folder: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Completions, "create", lambda self, **asked: "fake")
    c = promptops.observe(client(), sink=str(folder))
    assert c.chat.completions.create(**ASKED) == "fake"
    monkeypatch.undo()
    assert c.chat.completions.create(**ASKED).id == "chatcmpl-1"
    assert models(folder) == [None, "gpt-6-mini-2026"]


def test_what_is_patched_in_the_object_stays(folder: Path) -> None:
    c = client()
    c.chat.completions.create = mock.Mock(return_value="own")
    promptops.observe(c, sink=str(folder))
    with mock.patch.object(Completions, "create", return_value="fake"):
        assert c.chat.completions.create(**ASKED) == "own"
    c.chat.completions.create.assert_called_once_with(**ASKED)
