"""A loopback server that plays the batch interfaces of OpenAI, Anthropic and Gemini.

It counts what it answered, which is what a provider would bill, and misbehaves if it is told to.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["BatchServer", "Made"]

ISO = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class Made:
    """A batch at the provider. items: (custom id, request) in order; state: running, completed,
    expired, cancelled or failed; answered: how many of its items were.
    """

    id: str
    name: str
    items: list[tuple[str, Any]]
    at: float
    path: str = ""
    state: str = "running"
    answered: int = 0
    faults: dict[str, Any] = field(default_factory=dict)


class BatchServer:
    """One provider. say: request -> the answer's text; looks: how many looks a batch takes to end;
    drop: hand-overs whose connection is reset after (True) or before (False) they are taken;
    lists: whether batches can be listed; refuse: status and body that hand-overs are answered with,
    one each; bend: the results of a batch -> those that are sent, a text as a line of its own.
    """

    def __init__(self, say: Callable[[Any], str] = lambda request: "yes") -> None:
        self.lock = threading.RLock()
        self.reset(say)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                server._serve(self, "GET")

            def do_POST(self) -> None:
                server._serve(self, "POST")

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def reset(self, say: Callable[[Any], str] = lambda request: "yes") -> None:
        """As if nothing had happened yet."""
        self.say, self.looks, self.lists = say, 0, True
        self.drop: list[bool] = []
        self.bend: Callable[[list[Any]], list[Any]] = lambda found: found
        self.refuse: list[tuple[int, Any]] = []
        self.made: list[Made] = []
        self.files: dict[str, bytes] = {}
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> BatchServer:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def paid(self) -> Counter[str]:
        """How often each request was answered, by its custom id."""
        with self.lock:
            return Counter(id for made in self.made for id, _ in made.items[: made.answered])

    def end(self, state: str, answered: int) -> None:
        """End every running batch in this state, with so many of its items answered."""
        with self.lock:
            for made in self.made:
                if made.state == "running":
                    made.state, made.answered = state, min(answered, len(made.items))

    # -- protocol

    def _serve(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        size = int(handler.headers.get("content-length") or 0)
        body = handler.rfile.read(size) if size else b""
        path = handler.path.partition("?")[0]
        with self.lock:
            self.seen[f"{method} {path}"] += 1
            making = method == "POST" and not path.endswith("/files")
            drop = self.drop.pop(0) if making and self.drop else None
            if making and self.refuse:
                status, answer = self.refuse.pop(0)
            else:
                status, answer = (
                    (500, None) if drop is False else self._answer(method, path, handler, body)
                )
        if drop is not None:
            once = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, once)
            handler.close_connection = True
            handler.connection.close()
            return
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _answer(
        self, method: str, path: str, handler: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, Any]:
        if "x-goog-api-key" in handler.headers:
            return self._gemini(method, path, body)
        if path == "/v1/files":
            id = f"file-{len(self.files)}"
            self.files[id] = _uploaded(handler.headers["content-type"], body)
            return 200, {"id": id, "object": "file", "bytes": len(body), "created_at": 0,
                         "filename": "x", "purpose": "batch", "status": "processed"}  # fmt: skip
        if found := re.fullmatch(r"/v1/files/(.+)/content", path):
            return 200, self.files[found[1]]
        if path == "/v1/batches":
            if method == "GET":
                return self._listed([_openai(self, each) for each in reversed(self.made)])
            asked = json.loads(body)
            lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
            items = [(line["custom_id"], line["body"]) for line in lines]
            made = self._make("batch_", asked["metadata"]["promptops"], items, asked["endpoint"])
            return 200, _openai(self, made)
        if found := re.fullmatch(r"/v1/batches/(.+)", path):
            return self._looked(found[1], _openai)
        if path == "/v1/messages/batches":
            if method == "GET":
                return self._listed([_anthropic(self, each) for each in reversed(self.made)])
            items = [(each["custom_id"], each["params"]) for each in json.loads(body)["requests"]]
            return 200, _anthropic(self, self._make("msgbatch_", "", items))
        if found := re.fullmatch(r"/v1/messages/batches/([^/]+)/results", path):
            return 200, _anthropic_results(self, self._of(found[1]))
        if found := re.fullmatch(r"/v1/messages/batches/([^/]+)", path):
            return self._looked(found[1], _anthropic)
        return 404, {"error": {"message": f"no such page: {path}"}}

    def _gemini(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path.endswith(":batchGenerateContent"):
            batch = json.loads(body)["batch"]
            requests = batch["inputConfig"]["requests"]["requests"]
            items = [(each["metadata"]["key"], each["request"]) for each in requests]
            return 200, _gemini(self, self._make("batches/", batch["displayName"], items))
        if found := re.fullmatch(r"/v1[a-z]*/(batches/.+)", path):
            return self._looked(found[1], _gemini)
        if not self.lists:
            return 404, {"error": {"code": 404, "message": "no such page"}}
        return 200, {"operations": [_gemini(self, each) for each in reversed(self.made)]}

    def _make(self, prefix: str, name: str, items: list[tuple[str, Any]], path: str = "") -> Made:
        made = Made(f"{prefix}{len(self.made):04d}", name, items, time.time(), path)
        self.made.append(made)
        return made

    def _listed(self, found: list[Any]) -> tuple[int, Any]:
        if not self.lists:
            return 404, {"error": {"message": "this gateway has no such page"}}
        return 200, {"object": "list", "data": found, "has_more": False,
                     "first_id": None, "last_id": None}  # fmt: skip

    def _of(self, id: str) -> Made:
        return next(made for made in self.made if made.id == id)

    def _looked(self, id: str, shown: Callable[[BatchServer, Made], Any]) -> tuple[int, Any]:
        found = [made for made in self.made if made.id == id]
        if not found:
            return 404, {"error": {"message": "no such batch", "type": "not_found_error"}}
        made = found[0]
        self.seen[f"look {id}"] += 1
        if made.state == "running":
            if self.seen[f"look {id}"] > self.looks:
                made.state, made.answered = "completed", len(made.items)
            elif self.looks:
                made.answered = len(made.items) * self.seen[f"look {id}"] // (self.looks + 1)
        return 200, shown(self, made)


def _uploaded(kind: str, body: bytes) -> bytes:
    message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    for part in message.get_payload():  # type: ignore[union-attr]
        if part.get_filename():  # type: ignore[union-attr]
            content: Any = part.get_payload(decode=True)  # type: ignore[union-attr]
            return bytes(content)
    raise AssertionError("no file was uploaded")


def _openai(server: BatchServer, made: Made) -> dict[str, Any]:
    output = error = None
    if made.state in ("completed", "expired", "cancelled"):
        lines, faults = [], []
        for place, (id, request) in enumerate(made.items):
            fault = made.faults.get(id)
            if fault is not None:
                faults.append({"custom_id": id, "response": fault, "error": None})
            elif place < made.answered:
                response = {"status_code": 200, "request_id": f"req-{id}",
                            "body": _completion(server.say(request), made.path)}  # fmt: skip
                lines.append({"custom_id": id, "response": response, "error": None})
            elif made.state == "expired":
                expired = {"code": "batch_expired", "message": "could not be executed in time"}
                faults.append({"custom_id": id, "response": None, "error": expired})
        for name, found in (("out", lines), ("err", faults)):
            sent = server.bend(found) if name == "out" else found
            server.files[f"{name}-{made.id}"] = _as_lines(sent)
        output, error = f"out-{made.id}", f"err-{made.id}"
    failed = len(made.faults)
    counts = {"total": len(made.items), "completed": made.answered - failed, "failed": failed}
    errors = (
        {"object": "list", "data": [{"code": "invalid", "message": "line 1 is wrong", "line": 1}]}
        if made.state == "failed"
        else None
    )
    return {
        "id": made.id, "object": "batch", "endpoint": made.path, "input_file_id": "file-0",
        "completion_window": "24h", "created_at": int(made.at),
        "metadata": {"promptops": made.name},
        "status": "in_progress" if made.state == "running" else made.state, "errors": errors,
        "output_file_id": output, "error_file_id": error, "request_counts": counts,
    }  # fmt: skip


def _completion(text: str, path: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    if path.endswith("/responses"):
        content = [{"type": "output_text", "text": text}]
        return {"id": "r", "object": "response", "status": "completed", "model": "gpt-4o-mini",
                "output": [{"type": "message", "role": "assistant", "content": content}],
                "usage": {"input_tokens": 1000, "output_tokens": 100}}  # fmt: skip
    message = {"role": "assistant", "content": text}
    return {"id": "c", "object": "chat.completion", "model": "gpt-4o-mini", "usage": usage,
            "service_tier": "default",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}  # fmt: skip


def _anthropic(server: BatchServer, made: Made) -> dict[str, Any]:
    left = len(made.items) - made.answered
    ended = made.state != "running"
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    counts["succeeded"] = made.answered - len(made.faults)
    counts["errored"] = len(made.faults)
    counts[{"expired": "expired", "cancelled": "canceled"}.get(made.state, "processing")] += left
    at = time.strftime(ISO, time.gmtime(made.at))
    return {
        "id": made.id, "type": "message_batch", "created_at": at, "expires_at": at,
        "ended_at": at if ended else None, "archived_at": None, "cancel_initiated_at": None,
        "processing_status": "ended" if ended else "in_progress", "request_counts": counts,
        "results_url": f"{server.url}/v1/messages/batches/{made.id}/results" if ended else None,
    }  # fmt: skip


def _anthropic_results(server: BatchServer, made: Made) -> bytes:
    lines: list[Any] = []
    for place, (id, request) in enumerate(made.items):
        result: Mapping[str, Any]
        if id in made.faults:
            result = {"type": "errored", "error": made.faults[id]}
        elif place < made.answered:
            usage = {"input_tokens": 1000, "output_tokens": 100, "service_tier": "batch"}
            message = {"id": "m", "type": "message", "role": "assistant", "usage": usage,
                       "model": "claude-haiku-4-5", "stop_reason": "end_turn",
                       "stop_sequence": None,
                       "content": [{"type": "text", "text": server.say(request)}]}  # fmt: skip
            result = {"type": "succeeded", "message": message}
        else:
            result = {"type": "expired" if made.state == "expired" else "canceled"}
        lines.append({"custom_id": id, "result": result})
    return _as_lines(server.bend(lines))


def _as_lines(found: list[Any]) -> bytes:
    return "\n".join(each if isinstance(each, str) else json.dumps(each) for each in found).encode()


def _gemini(server: BatchServer, made: Made) -> dict[str, Any]:
    state = {"running": "RUNNING", "completed": "SUCCEEDED"}.get(made.state, made.state.upper())
    about: dict[str, Any] = {
        "displayName": made.name, "state": f"BATCH_STATE_{state}",
        "createTime": time.strftime(ISO, time.gmtime(made.at)),
    }  # fmt: skip
    if made.state != "running":
        answers: list[Any] = []
        for id, request in made.items[: made.answered]:
            known = {"metadata": {"key": id}}
            if id in made.faults:
                answers.append({**known, "error": made.faults[id]})
                continue
            parts = [{"text": server.say(request)}]
            usage = {"promptTokenCount": 1000, "candidatesTokenCount": 100}
            response = {"candidates": [{"content": {"role": "model", "parts": parts},
                                        "finishReason": "STOP"}],
                        "usageMetadata": usage, "modelVersion": "gemini-2.5-flash"}  # fmt: skip
            answers.append({**known, "response": response})
        about["output"] = {"inlinedResponses": {"inlinedResponses": server.bend(answers)}}
        about["batchStats"] = {"successfulRequestCount": str(made.answered - len(made.faults))}
    return {"name": made.id, "metadata": about, "done": made.state != "running"}
