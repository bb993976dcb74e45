"""Keep what you have: the prompt and version on the spans of Langfuse's SDK, OpenInference,
OpenLLMetry or Logfire.

    provider.add_span_processor(promptops.otel.Stamp())

Imports nothing: a span processor is an object with four methods.
"""

from __future__ import annotations

from typing import Any

from .version.identity import last_rendered

__all__ = ["Stamp"]

_MODEL_SPANS = ("gen_ai.", "llm.", "openinference.", "langfuse.", "traceloop.")


class Stamp:
    """A span processor of OpenTelemetry that names the prompt on each span of a model call.

    Which prompt it is: the one that was rendered last in this context, where the context rendered
    only one; of several it is unknown, and nothing is written.
    """

    def on_start(self, span: Any, parent_context: object = None) -> None:
        """Write the attributes; never raises."""
        try:
            identity = last_rendered()
            if identity is None or not _of_a_model(span):
                return
            for name, value in (
                ("gen_ai.prompt.name", identity.name),
                (
                    "gen_ai.prompt.version",
                    None if identity.number is None else str(identity.number),
                ),
                ("promptops.version.id", identity.version_id),
                ("promptops.environment", identity.env),
                ("promptops.arm", identity.arm),
            ):
                if value is not None:
                    span.set_attribute(name, value)
        except Exception:  # tracing is never the application's fault
            return

    def on_end(self, span: object) -> None:
        """Nothing: the exporter of the application's own choice sends the span."""

    def shutdown(self) -> None:
        """Nothing is open."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits."""
        return True

    def _on_ending(self, span: object) -> None:
        """Nothing: part of the SDK's own processor interface."""


def _of_a_model(span: object) -> bool:
    """Whether an instrumentor of model calls made the span: by its name or first attributes."""
    name = str(getattr(span, "name", "")).lower()
    attributes = getattr(span, "attributes", None) or {}
    return any(str(key).startswith(_MODEL_SPANS) for key in attributes) or name.startswith(
        ("chat", "openai", "anthropic", "gemini", "completion", "generate", "response", "message")
    )
