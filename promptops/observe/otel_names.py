"""The attribute names of OpenTelemetry's GenAI conventions that live rows are written under.

Nothing of those conventions is stable: this is the one place that writes them. What others write is
read by the alias table of the lab's import.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ATTRIBUTES", "OWN"]

# column of `live` -> attribute
ATTRIBUTES: Mapping[str, str] = {
    "prompt": "gen_ai.prompt.name",
    "version": "gen_ai.prompt.version",
    "model": "gen_ai.request.model",
    "model_returned": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
    "finish_reason": "gen_ai.response.finish_reasons",
    "tokens_in": "gen_ai.usage.input_tokens",
    "tokens_out": "gen_ai.usage.output_tokens",
    "tokens_cached": "gen_ai.usage.cache_read.input_tokens",
    "system_fingerprint": "openai.response.system_fingerprint",
    "session": "gen_ai.conversation.id",
    "endpoint": "server.address",
    "failure": "error.type",
    "output": "gen_ai.output.messages",
    "first_token_ms": "gen_ai.response.time_to_first_chunk",
}
# column -> attribute of our own, where the conventions have none
OWN: Mapping[str, str] = {
    "id": "promptops.id",
    "version_id": "promptops.version.id",
    "env": "promptops.environment",
    "arm": "promptops.arm",
    "served_from": "promptops.served_from",
    "attribution": "promptops.attribution",
    "key_hash": "promptops.key_hash",
    "failure_detail": "promptops.failure_detail",
    "streamed": "promptops.streamed",
    "chars_in": "promptops.chars_in",
    "chars_out": "promptops.chars_out",
    "values": "promptops.values",
    "tool_calls": "promptops.tool_calls",
    "kept": "promptops.kept",
    "latency_ms": "promptops.latency_ms",
    "started_at": "promptops.started_at",
}
