"""The lab sends what the application would: a version's own form, by OpenAI's rule for tools with
reasoning.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from promptops.canonical import canonical
from promptops.dataset import Example
from promptops.engine.run_rows import PendingCall, RowBuilder
from promptops.lab import Lab
from promptops.models.endpoint import EndpointModel
from promptops.models.scripted import ScriptedModel
from promptops.run import reuse_key
from promptops.scorers import tool_called
from promptops.study.design import ArmDesign
from promptops.study.questions import question_of
from promptops.version import PromptVersion
from tests.faults.server import FaultServer, Say, error

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
ROWS = [{"q": f"q{number}"} for number in range(30)]
ANSWER = {
    "object": "response",
    "status": "completed",
    "model": "gpt-6",
    "output": [
        {"type": "function_call", "call_id": "c", "name": "look_up", "arguments": '{"id": 1}'}
    ],
    "usage": {"input_tokens": 9, "output_tokens": 4},
}


def rule(seen: Any) -> Say:
    """OpenAI's: function tools with reasoning are taken by Responses only."""
    if seen.path.endswith("/chat/completions"):
        words = "Function tools with reasoning_effort are not supported; use /v1/responses instead."
        return Say(status=400, body=error(words, kind="invalid_request_error"))
    return Say(body=ANSWER)


def test_tools_with_reasoning_are_answered_through_responses(tmp_path: Path) -> None:
    """30 of 30, and each request is byte for byte what `request()` gives; the same version as chat
    completions stops after a few and is told the one word that mends it.
    """
    with FaultServer(rule) as server:
        lab = Lab(tmp_path, models={"gpt-6": EndpointModel(base_url=server.url)})
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            chat = lab.prompt("p").save(
                "{{q}}", model="gpt-6", tools=[TOOL], reasoning_effort="low"
            )
            assert 'api="responses"' in str(said.pop().message)
            lab.evaluate([chat], ROWS, [tool_called("look_up")]).wait()
        assert len(server.seen) < 15
        assert any('version.but(api="responses")' in str(each.message) for each in said)
        asked = len(server.seen)
        version = lab.prompt("p").save(chat.version.but(api="responses"))
        study = lab.evaluate([version], ROWS, [tool_called("look_up")])
        study.wait()
        sent = [seen.body for seen in server.seen[asked:]]
    values = study.scores()["value"]
    assert len(values) == 30
    assert values.eq(1).all()
    wanted = [version.request(q=row["q"]) for row in ROWS]
    assert sorted(map(str, sent)) == sorted(map(str, wanted))


@pytest.mark.parametrize("api", ["chat", "responses", "anthropic", "gemini"])
def test_the_key_and_the_recorded_request_are_those_of_the_messages(api: str) -> None:
    """Messages are written as canonical JSON once for both; what is recorded is what is sent, and
    the key is that of the messages, as in every release.
    """
    settings = {"temperature": 0.5, "max_tokens": 9}
    version = PromptVersion("Say {{q}} \u00e9\n", model="m", settings=settings, api=api)
    arm = ArmDesign("v1", version, ScriptedModel(lambda _: "yes"))
    example = Example("e1", {"q": 'a "word"'})
    asked = question_of(arm, example, 0)
    messages = version.render({"q": 'a "word"'})
    assert asked.key == reuse_key(version.id, messages, arm.model.label, 0)
    run = RowBuilder().failed(PendingCall(asked, "r-1", 0.0, 0.0, 0.0), "auth", "no")
    assert run.request == canonical(asked.call.request) == canonical(version.to_request(messages))
    again = question_of(arm, example, 0, key=asked.key)  # made once more, its key known
    assert RowBuilder().failed(PendingCall(again, "r-2", 0.0, 0.0, 0.0), "auth", "no").request == (
        run.request
    )
