"""A judge is asked in the form that its model takes: nobody has to write a version for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai

from promptops.errors import ScorerError
from promptops.lab import Lab, measure_judge
from promptops.scorers import JudgeModel, rubric
from tests.faults.server import FaultServer, Say, Seen
from tests.models.test_provider_clients import closed
from tests.models.test_sixty_replies import chat, content, message, response, said, text

MARK = re.compile(r"PART ([0-9a-f]{12})")
KEY = "a-key-123456"


def verdict(seen: Seen) -> Say:
    """A judge of any form, which refuses a temperature as reasoning models do; chat completions
    without a mark are the answers that are judged.
    """
    wording = json.dumps(seen.body)
    found = MARK.search(wording)
    if found is None:
        return Say(body=chat({"content": "Paris"}))
    if '"temperature"' in wording:
        return Say(status=400, body={"error": {"message": "temperature is deprecated"}})
    given = json.dumps({"case": found[1], "reason": "fine", "score": 4})
    if seen.path.endswith("/responses"):
        return Say(body=response(said(given)))
    if seen.path.endswith("/messages"):
        return Say(body=message(text(given)))
    if ":generateContent" in seen.path:
        return Say(body=content({"text": given}))
    return Say(body=chat({"content": given}))


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer(verdict) as made:
        yield made


def root(url: str) -> str:
    return url.removesuffix("/v1")


CLIENTS: dict[str, Callable[[str], Any]] = {
    "anthropic": lambda url: anthropic.Anthropic(api_key=KEY, base_url=root(url)),
    "anthropic async": lambda url: anthropic.AsyncAnthropic(api_key=KEY, base_url=root(url)),
    "gemini": lambda url: genai.Client(api_key=KEY, http_options={"base_url": root(url)}),
    "openai": lambda url: openai.OpenAI(api_key=KEY, base_url=url),
}


def judged(folder: Path, server: FaultServer, name: str, judge: JudgeModel | str) -> None:
    """Ask one question, and have its answer rated by the judge."""
    clients = {"m": CLIENTS["openai"](server.url), "j": CLIENTS[name](server.url)}
    lab = Lab(folder, models=clients)
    version = lab.prompt("w").save("{{q}}", model="m")
    study = lab.evaluate([version], [{"q": "a"}], [rubric("ok?", judge=judge)])
    assert study.scores().value.tolist() == [0.75]
    report = measure_judge(study, rubric("ok?", judge=judge))
    assert report.calls == 1
    for client in clients.values():
        lab.project.loop.finish(closed(client))
    lab.project.close()


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_of_one_form_judges_in_it(tmp_path: Path, server: FaultServer, name: str) -> None:
    """No setting is sent but the bound that Anthropic wants, and the calls are the judge's."""
    server.seen.clear()
    judged(tmp_path, server, name, "j")
    [asked] = [seen for seen in server.seen if MARK.search(json.dumps(seen.body))]
    ends = {"gemini": ":generateContent", "openai": "/chat/completions"}
    assert asked.path.endswith(ends.get(name, "/messages"))
    bound = {"max_tokens"} if name.startswith("anthropic") else set[str]()
    words = {"model", "messages", "system", "contents", "systemInstruction"}
    assert {key for key, value in asked.body.items() if value} - words == bound


def test_a_judges_form_can_be_chosen(tmp_path: Path, server: FaultServer) -> None:
    """As a version's; one that is not a form, or that cannot say the settings, is an error."""
    server.seen.clear()
    judged(tmp_path, server, "openai", JudgeModel("j", api="responses"))
    assert [seen.path for seen in server.seen] == ["/v1/chat/completions", "/v1/responses"]
    with pytest.raises(ScorerError, match="the forms are chat"):
        rubric("ok?", judge=JudgeModel("j", api="claude"))
    with pytest.raises(ScorerError, match="without max_tokens"):
        rubric("ok?", judge=JudgeModel("j", api="anthropic"))
