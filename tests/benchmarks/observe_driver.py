"""What recording costs the thread that calls: `promptops.observe`, a span of OpenTelemetry's SDK
and a generation of Langfuse's, in one process, in turns; prints one JSON document of microseconds.

    python observe_driver.py COLLECTOR_URL FOLDER

Runs with a Python that has opentelemetry-sdk, its OTLP exporter over HTTP and langfuse, and with
promptops on its path. `asked` is the fake provider alone, which is taken off none of the figures.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

CALLS, ROUNDS = 300, 9
PAUSE_NS = 200_000  # between two calls: 5,000 a second, more than any client of one process makes

USAGE = SimpleNamespace(
    prompt_tokens=11,
    completion_tokens=2,
    total_tokens=13,
    prompt_tokens_details=SimpleNamespace(cached_tokens=4),
)
MESSAGE = SimpleNamespace(content="billing " * 60, tool_calls=None, refusal=None)
ANSWER = SimpleNamespace(
    id="chatcmpl-1",
    model="gpt-6-mini-2026",
    system_fingerprint="fp_1",
    choices=[SimpleNamespace(finish_reason="stop", message=MESSAGE)],
    usage=USAGE,
)
Ask = Callable[..., Any]


def provider() -> Any:
    """A client of the shape of OpenAI's whose answers are there at once."""

    class Completions:
        def create(self, **request: Any) -> Any:
            return ANSWER

    return SimpleNamespace(chat=SimpleNamespace(completions=Completions()))


def ours(folder: str, content: bool) -> Ask:
    import promptops

    client = promptops.observe(provider(), sink=folder, content=content)
    create: Ask = client.chat.completions.create
    return create


def opentelemetry(collector: str) -> Ask:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # type: ignore[import-not-found]
    from opentelemetry.sdk.trace import TracerProvider  # type: ignore[import-not-found]
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # type: ignore[import-not-found]

    spans = TracerProvider()
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector}/v1/traces")))
    tracer = spans.get_tracer("benchmark")

    def create(**request: Any) -> Any:
        with tracer.start_as_current_span(f"chat {request['model']}") as span:
            span.set_attribute("gen_ai.operation.name", "chat")
            span.set_attribute("gen_ai.request.model", request["model"])
            span.set_attribute("gen_ai.response.id", ANSWER.id)
            span.set_attribute("gen_ai.response.model", ANSWER.model)
            span.set_attribute("gen_ai.response.finish_reasons", ("stop",))
            span.set_attribute("gen_ai.usage.input_tokens", USAGE.prompt_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", USAGE.completion_tokens)
            return ANSWER

    return create


def langfuse(collector: str) -> Ask:
    from langfuse import Langfuse  # type: ignore[import-not-found]

    client = Langfuse(public_key="pk", secret_key="sk", base_url=collector)

    def create(**request: Any) -> Any:
        with client.start_as_current_observation(
            as_type="generation", name="chat", model=request["model"], input=request["messages"]
        ) as generation:
            generation.update(
                output=MESSAGE.content,
                usage_details={"input": USAGE.prompt_tokens, "output": USAGE.completion_tokens},
            )
            return ANSWER

    return create


def timed(ask: Ask, request: dict[str, Any]) -> list[float]:
    """Microseconds of each call; the pause is spent working, so that writers compete for the
    interpreter as they do in a busy application.
    """
    took = []
    for _ in range(CALLS):
        began = time.perf_counter_ns()
        ask(**request)
        ended = time.perf_counter_ns()
        took.append((ended - began) / 1e3)
        while time.perf_counter_ns() < ended + PAUSE_NS:
            pass
    return took


def main() -> None:
    collector, folder = sys.argv[1:]
    from promptops import PromptVersion

    version = PromptVersion("Classify: {{ticket}}", model="gpt-6-mini")
    request = version.request(ticket="x" * 1_000)
    doors: dict[str, Ask] = {
        "asked": provider().chat.completions.create,
        "promptops": ours(f"{folder}/off", False),
        "promptops, content": ours(f"{folder}/on", True),
        "opentelemetry-sdk": opentelemetry(collector),
        "langfuse": langfuse(collector),
    }
    rounds: dict[str, list[list[float]]] = {name: [] for name in doors}
    for number in range(ROUNDS + 1):
        for name, ask in doors.items():
            gc.collect()
            took = timed(ask, request)
            if number:  # the first round starts threads and connections
                rounds[name].append(took)
    print(
        json.dumps(
            {
                name: {
                    # Noise of a shared machine only adds: the best round is the code's own.
                    "p50": min(statistics.median(took) for took in each),
                    "p99": min(sorted(took)[int(0.99 * len(took))] for took in each),
                }
                for name, each in rounds.items()
            }
        )
    )


if __name__ == "__main__":
    main()
