"""What a provider has a rate of its own for is counted apart from the other tokens."""

from __future__ import annotations

from typing import Any

from promptops.models.anthropic_reply import reply_of_message
from promptops.models.completion import reply_of
from promptops.models.gemini_reply import reply_of_content
from promptops.models.responses_reply import reply_of_response
from tests.faults.server import completion


def test_what_has_a_rate_of_its_own_is_counted_apart() -> None:
    """Sound, the cache that lasts an hour and searches cost something else than text: each form
    tells them, and a fast tier, so that the bill is right.
    """
    heard = {"prompt_tokens_details": {"audio_tokens": 7}}
    usage: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 4, **heard}
    assert reply_of(completion("a", usage=usage), {}).billed_apart == {"input_audio_tokens": 7}
    kept: dict[str, Any] = {
        "cache_creation_input_tokens": 9,
        "cache_creation": {"ephemeral_1h_input_tokens": 5},
    }
    usage = {"input_tokens": 9, "output_tokens": 4, "speed": "fast", **kept}
    usage["server_tool_use"] = {"web_search_requests": 2}
    text = [{"type": "text", "text": "a"}]
    reply = reply_of_message({"content": text, "stop_reason": "end_turn", "usage": usage}, {})
    assert reply.billed_apart == {"cache_write_1h_tokens": 5, "web_searches": 2}
    assert reply.service_tier == "fast"
    said = {"type": "message", "content": [{"type": "output_text", "text": "a"}]}
    acts = [{"type": "web_search_call", "action": {"type": kind}} for kind in ("search", "find")]
    body: dict[str, Any] = {
        "status": "completed",
        "output": [*acts, {"type": "file_search_call"}, said],
    }
    assert reply_of_response(body, {}).billed_apart == {"web_searches": 1, "storage_searches": 1}
    counted: dict[str, Any] = {
        "promptTokenCount": 9,
        "toolUsePromptTokenCount": 3,
        "candidatesTokenCount": 4,
    }
    counted["promptTokensDetails"] = [{"modality": "AUDIO", "tokenCount": 6}]
    counted["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": 2}]
    candidate: dict[str, Any] = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}
    candidate["groundingMetadata"] = {"webSearchQueries": ["a", "b"]}
    body = {"candidates": [candidate], "usageMetadata": counted, "modelVersion": "gemini-2.5-pro"}
    reply = reply_of_content(body, {"x-gemini-service-tier": "flex"})
    assert (reply.tokens_in, reply.service_tier) == (12, "flex")
    searched = {"input_audio_tokens": 6, "cache_audio_read_tokens": 0, "web_searches": 1}
    assert reply.billed_apart == searched
    third = reply_of_content({**body, "modelVersion": "gemini-3-flash"}, {})
    assert third.billed_apart["web_searches"] == 2
