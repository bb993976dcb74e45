"""Law: a span of a model call names the prompt that was rendered for it, and no other span does;
where several prompts were rendered, none is named.
"""

from __future__ import annotations

import contextvars
from typing import Any

import promptops
from promptops import PromptVersion
from promptops.registry.served_version import Served

VERSION = PromptVersion("Classify: {{ticket}}", model="m")


class Span:
    """As instrumentors open theirs: a name, and attributes that are there at the start."""

    def __init__(self, name: str, **attributes: Any) -> None:
        self.name, self.attributes = name, attributes

    def set_attribute(self, name: str, value: Any) -> None:
        self.attributes[name] = value


def stamped(*spans: Span) -> list[str | None]:
    stamp = promptops.otel.Stamp()
    for span in spans:
        stamp.on_start(span, None)
        stamp.on_end(span)
    assert stamp.force_flush()
    return [span.attributes.get("gen_ai.prompt.name") for span in spans]


def in_a_context(step: Any) -> Any:
    return contextvars.Context().run(step)


def test_the_span_of_the_model_call_is_named() -> None:
    def step() -> None:
        Served("triage", "prod", VERSION, 3).on_arm("canary").request(ticket="x")
        openllmetry = Span("openai.chat", **{"gen_ai.system": "openai"})
        openinference = Span("ChatCompletion", **{"openinference.span.kind": "LLM"})
        other = Span("GET /tickets", **{"http.method": "GET"})
        assert stamped(openllmetry, openinference, other) == ["triage", "triage", None]
        assert openllmetry.attributes["gen_ai.prompt.version"] == "3"
        assert openllmetry.attributes["promptops.version.id"] == VERSION.id
        assert openllmetry.attributes["promptops.environment"] == "prod"
        assert openllmetry.attributes["promptops.arm"] == "canary"

    in_a_context(step)


def test_of_two_prompts_none_is_guessed() -> None:
    def step() -> None:
        assert stamped(Span("openai.chat")) == [None]
        Served("one", "prod", VERSION, 1).request(ticket="x")
        Served("two", "prod", VERSION, 1).request(ticket="x")
        assert stamped(Span("openai.chat")) == [None]

    in_a_context(step)


def test_a_span_that_refuses_costs_nothing() -> None:
    class Ended(Span):
        def set_attribute(self, name: str, value: Any) -> None:
            raise RuntimeError("the span has ended")

    def step() -> None:
        VERSION.request(ticket="x")
        assert stamped(Ended("openai.chat")) == [None]

    in_a_context(step)
