"""Record what an emitter writes of a prompt's calls, as OTLP/JSON: `python record.py EMITTER OUT`.

Run in an environment with openai and the emitter's packages, promptops on the path; the provider is
a transport of this process. EMITTER: openinference, openllmetry, logfire, langfuse, openai-v2; with
`-base64`, ids are left as protobuf's own JSON has them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
from typing import Any

# read by the emitters as they are imported
os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

import httpx  # the provider below, and the client
import openai

import promptops.otel
from promptops import PromptVersion
from promptops.registry.served_version import Served

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-6-mini-2026",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "billing"},
        }
    ],
    "usage": {
        "prompt_tokens": 11,
        "completion_tokens": 2,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}


def provider(request: httpx.Request) -> httpx.Response:
    if "error" in request.content.decode():
        return httpx.Response(429, json={"error": {"message": "slow down", "code": "rate"}})
    return httpx.Response(200, json=COMPLETION)


def instrumented(emitter: str, provider_of_spans: Any) -> type[openai.OpenAI]:
    if emitter == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=provider_of_spans)
    elif emitter in ("openllmetry", "openai-v2"):
        if emitter == "openllmetry":
            from opentelemetry.instrumentation.openai import OpenAIInstrumentor as Instrumentor
        else:
            from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as Instrumentor
        Instrumentor().instrument(tracer_provider=provider_of_spans)
    elif emitter == "langfuse":
        from langfuse import Langfuse
        from langfuse.openai import OpenAI

        Langfuse(
            public_key="pk",
            secret_key="sk",
            base_url="http://127.0.0.1:9",
            tracer_provider=provider_of_spans,
        )
        return OpenAI
    return openai.OpenAI


def main() -> None:
    emitter, out = sys.argv[1], sys.argv[2]
    plain = emitter.endswith("-base64")
    emitter = emitter.removesuffix("-base64")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    stamp, keep = promptops.otel.Stamp(), SimpleSpanProcessor(kept)
    if emitter == "logfire":
        import logfire

        logfire.configure(
            send_to_logfire=False, console=False, additional_span_processors=[stamp, keep]
        )
        client_class = openai.OpenAI
    else:
        spans = TracerProvider()
        spans.add_span_processor(stamp)
        spans.add_span_processor(keep)
        client_class = instrumented(emitter, spans)
    client = client_class(
        api_key="none",
        base_url="http://provider.example/v1",
        max_retries=0,
        http_client=httpx.Client(transport=httpx.MockTransport(provider)),
    )
    if emitter == "logfire":
        logfire.instrument_openai(client)
    version = PromptVersion("Classify: {{ticket}}", model="gpt-6-mini")
    served = Served("triage", "prod", version, 3)
    client.chat.completions.create(**served.request(ticket="where is my invoice"))
    with contextlib.suppress(openai.RateLimitError):
        client.chat.completions.create(**served.request(ticket="an error"))
    write(kept.get_finished_spans(), out, plain)


def write(spans: Any, out: str, plain: bool) -> None:
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    document = MessageToDict(encode_spans(spans))
    for each in document["resourceSpans"]:
        each["resource"]["attributes"] = [
            item for item in each["resource"]["attributes"] if item["key"] == "service.name"
        ]
        for scope in each["scopeSpans"]:
            for span in scope["spans"]:
                span.pop("events", None)  # stack traces, with paths of this machine
                for name in () if plain else ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    with open(out, "w", encoding="utf-8") as file:
        file.write(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
