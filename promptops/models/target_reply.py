"""An answer object that a target returned, as a reply."""

from __future__ import annotations

from typing import Any

from .protocol import Reply

__all__ = ["of_completion", "usage_of"]

_FINISHED = {"length": "truncated_length", "content_filter": "content_filter_output"}


def of_completion(answer: Any) -> Reply:
    """A Reply of an openai chat completion, or of anything shaped like one."""
    if not answer.choices:
        return Reply(
            text=None,
            failure="empty_output",
            model=getattr(answer, "model", None),
            **usage_of(answer),
        )
    choice = answer.choices[0]
    message = choice.message
    finish = getattr(choice, "finish_reason", None)
    refusal = getattr(message, "refusal", None)
    calls = tuple(
        call.model_dump() if hasattr(call, "model_dump") else dict(call)
        for call in getattr(message, "tool_calls", None) or ()
    )
    text = message.content
    failure = (
        "refusal"
        if refusal
        else _FINISHED.get(finish or "") or ("empty_output" if not text and not calls else None)
    )
    return Reply(
        text=text,
        tool_calls=calls,
        finish_reason=finish,
        failure=failure,
        failure_detail=refusal,
        model=getattr(answer, "model", None),
        fingerprint=getattr(answer, "system_fingerprint", None),
        request_id=getattr(answer, "id", None),
        **usage_of(answer),
    )


def usage_of(answer: object) -> dict[str, Any]:
    """Tokens as chat completions or responses name them; what is not reported stays unknown."""
    usage = getattr(answer, "usage", None)
    named = {
        "tokens_in": ("prompt_tokens", "input_tokens"),
        "tokens_out": ("completion_tokens", "output_tokens"),
    }
    return {
        name: next((value for at in names if (value := getattr(usage, at, None)) is not None), None)
        for name, names in named.items()
    }
