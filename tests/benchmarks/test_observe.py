"""What an observed call costs the application, beside a span of OpenTelemetry's SDK and a
generation of Langfuse's in the same process: p50 at most 10 microseconds, a third of the span's.

The rivals live in a throw-away environment; `PROMPTOPS_OBSERVE_RIVALS=/path/to/python` names one
that has them already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark

DRIVER = Path(__file__).with_name("observe_driver.py")
ROOT = Path(__file__).resolve().parents[2]
RIVALS = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "langfuse")

IDLE_SPAN_US = 22.0  # p50 of the span on a machine that does nothing else


class Collector(BaseHTTPRequestHandler):
    """Takes whatever is sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def python(tmp_path: Path) -> str:
    named = os.environ.get("PROMPTOPS_OBSERVE_RIVALS")
    if named:
        return named
    venv.create(tmp_path / "rivals", with_pip=True)
    found = tmp_path / "rivals" / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = subprocess.run(
        [found, "-m", "pip", "install", "--quiet", *RIVALS], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"the rivals do not install here: {done.stderr.strip()[-200:]}")
    return str(found)


def test_an_observed_call_costs_less_than_a_span(
    python: str, collector: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """p50 at most 10 us with content off, a third of OpenTelemetry's span in any case."""
    done = subprocess.run(
        [python, str(DRIVER), collector, str(tmp_path / "live")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    span = found["opentelemetry-sdk"]["p50"]
    with capsys.disabled():
        print(f"\none call recorded, of Python {sys.version_info[0]}.{sys.version_info[1]}:")
        for name, each in found.items():
            print(
                f"  {name:20} p50 {each['p50']:7.1f} us  p99 {each['p99']:7.1f} us"
                f"  {each['p50'] / span:5.2f} of the span"
            )
    busy = max(1.0, span / IDLE_SPAN_US)  # other work of this machine slows both alike
    assert found["promptops"]["p50"] <= 10 * busy
    assert found["promptops"]["p50"] < span / 3
    assert found["promptops, content"]["p50"] < span / 2
    assert span < found["langfuse"]["p50"]
