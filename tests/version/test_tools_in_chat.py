"""OpenAI's rule for tools with reasoning, as its refusals say it."""

from __future__ import annotations

import pytest

from promptops.version.tools_in_chat import refused_in_chat

TOOLS = [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("model", "effort", "refused"),
    [
        ("gpt-6", None, True),
        ("gpt-6-astra", "low", True),
        ("gpt-6.1-sol", None, True),
        ("gpt-5.6-terra", None, True),
        ("gpt-5.6-terra", "none", False),
        ("gpt-5.4", "medium", True),
        ("gpt-5.4-mini-2026-03-17", None, False),
        ("gpt-5.2", "high", False),
        ("gpt-5", "high", False),
        ("gpt-4o", None, False),
        ("gpt-4.1", "low", False),
        ("openai/gpt-6", "low", False),  # a router, which may translate
        ("my-gpt-6", "low", False),
        ("o3", "low", False),
        (None, "low", False),
    ],
)
def test_what_openai_refuses_in_a_chat_completion(
    model: str | None, effort: str | None, refused: bool
) -> None:
    """By the model and its effort; without tools nothing is refused."""
    settings = {} if effort is None else {"reasoning_effort": effort}
    assert refused_in_chat(model, TOOLS, settings) is refused
    assert refused_in_chat(model, [], settings) is False
