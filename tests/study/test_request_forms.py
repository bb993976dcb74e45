"""The lab sends what the application would: a version's own form, by OpenAI's rule for tools with
reasoning.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from promptops.lab import Lab
from promptops.models.endpoint import EndpointModel
from promptops.scorers import tool_called
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
