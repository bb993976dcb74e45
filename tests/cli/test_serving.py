"""Servers that we start: no code of the folder that they are started in runs, and no fault of the
kernel reaches the page.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.cookiejar
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tornado.websocket import WebSocketClientConnection, websocket_connect

from promptops.cli import discreet, serving, tour

TOKEN = "a-token-for-this-test"
TAKEN = (
    *(
        "voila.py",
        "voila_config.py",
        "jupyter_config.py",
        "jupyter_server_config.py",
        "jupyter_lab_config.py",
    ),
    *(
        "ipython_config.py",
        "ipykernel_config.py",
        "sitecustomize.py",
        "promptops.py",
        "jupyterlab.py",
        "ipykernel_launcher.py",
    ),
)

# A page whose button fails in its handler, in a thread and in a warning; started as `promptops
# dashboard` is.
FAILING = """
import sys
from promptops.cli import dashboard_command as dashboard
source = '''
import threading, warnings, ipywidgets
def fails(_):
    print("SECRET printed")
    warnings.warn("SECRET warned")
    thread = threading.Thread(target=lambda: {}["SECRET of a thread"])
    thread.start()
    thread.join()
    raise ValueError("SECRET /raised/at/a/path")
button = ipywidgets.Button()
button.on_click(fails)
button
'''
made = dashboard.notebook
def notebook(root, writes):
    document = made(root, writes)
    document["cells"][0]["source"] = source
    return document
dashboard.notebook = notebook
dashboard.dashboard(sys.argv[1:])
"""


@dataclass
class Page:
    """A served page: its address, its first answer, the folder in which the server was started and
    what it writes.
    """

    port: int
    headers: dict[str, str]
    text: str
    folder: Path
    log: Path


def hostile(folder: Path) -> Path:
    """A folder with a file of every name that a server or Python might run, and one that opens
    Voilà to everybody.
    """
    folder.mkdir()
    for name in TAKEN:
        (folder / name).write_text(f"open({str(folder / 'RAN')!r}, 'a').write({name!r})\n")
    (folder / "voila.json").write_text(
        json.dumps(
            {"Voila": {"base_url": "/taken/"}, "VoilaConfiguration": {"show_tracebacks": True}}
        )
    )
    (folder / "promptops.json").write_text('{"form":"promptops-registry-1","prompts":{}}\n')
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = hostile(tmp_path_factory.mktemp("serving") / "checkout")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(serving.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONSAFEPATH": ""}
    command = [sys.executable, "-P", "-c", FAILING, "--port", str(port), "--token", TOKEN]
    log = folder.parent / "log"
    with log.open("wb") as into:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=into, stderr=subprocess.STDOUT
        )
    try:
        yield Page(port, *_first(port, server), folder, log)
    finally:
        server.terminate()
        server.wait(20)


def _first(port: int, server: subprocess.Popen[bytes]) -> tuple[dict[str, str], str]:
    end = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/?token={TOKEN}", timeout=60
            ) as answer:
                return dict(answer.headers), answer.read().decode()
        except ConnectionError:
            pass
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        assert server.poll() is None
        assert time.monotonic() < end
        time.sleep(0.2)


def test_the_page_runs_nothing_of_the_folder_it_is_started_in(page: Page) -> None:
    """The page came, from where it was said to come, and none of the folder's files was
    executed.
    """
    assert "jupyter-widgets" in page.text or "application/vnd.jupyter.widget" in page.text
    assert not (page.folder / "RAN").exists()


def test_the_page_talks_to_its_own_host_alone(page: Page) -> None:
    said = dict(
        part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert said["connect-src"].split() == [
        "'self'",
        *(
            f"{scheme}://{name}:{page.port}"
            for name in ("127.0.0.1", "localhost")
            for scheme in ("ws", "wss")
        ),
    ]
    assert not re.search(
        r"(?:^|\s)(?:\*|wss?:|https?:)(?:\s|$)",
        page.headers["Content-Security-Policy"].replace(";", " "),
    )


@pytest.mark.parametrize(
    ("ip", "talks"),
    [
        ("0.0.0.0", "'self'"),
        ("::", "'self'"),
        ("2001:db8::1", "'self'"),
        ("10.0.0.7", "'self' ws://10.0.0.7:8866 wss://10.0.0.7:8866"),
    ],
)
def test_other_addresses_in_the_policy(ip: str, talks: str) -> None:
    assert f"connect-src {talks};" in serving.policy(ip, 8866)


def test_no_fault_of_the_kernel_reaches_the_page(page: Page) -> None:
    """A click whose handler fails: neither its text, nor a path, nor a line of source is sent, nor
    what it printed.
    """
    kernel = re.search(r'"kernelId":\s*"([0-9a-f-]{36})"', page.text)
    assert kernel
    sent = asyncio.run(asyncio.wait_for(_click(page.port, kernel[1]), 60))
    kinds = {message["header"]["msg_type"] for message in sent}
    assert {"comm_info_reply", "status"} <= kinds
    assert not kinds & {"error", "stream"}
    assert not re.search(
        r"SECRET|Traceback|site-packages|File |\.py\b|ValueError", json.dumps(sent)
    )
    log = page.log.read_text()  # anyone who runs the server sees all of it
    for said in (
        "SECRET printed",
        "SECRET warned",
        "SECRET of a thread",
        "SECRET /raised/at/a/path",
        "Traceback",
    ):
        assert said in log


async def _click(port: int, kernel: str) -> list[dict[str, Any]]:
    """Every message of the kernel while it handles one click on every widget of the page."""
    connection = await websocket_connect(
        f"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels?session_id=s&token={TOKEN}"
    )
    sent = [
        json.loads(str(await connection.read_message()))
    ]  # the first one tells that the channels are open
    asked = await _send(connection, "comm_info_request", {})
    sent += await _until(connection, asked, "comm_info_reply")
    for comm in list(sent[-1]["content"]["comms"]):
        click = {"comm_id": comm, "data": {"method": "custom", "content": {"event": "click"}}}
        asked = await _send(connection, "comm_msg", click)
        sent += await _until(connection, asked, "idle")
    return sent


async def _send(connection: WebSocketClientConnection, kind: str, content: dict[str, Any]) -> str:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": "s",
        "username": "u",
        "version": "5.3",
    }
    header["date"] = "2026-01-01T00:00:00Z"
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
    await connection.write_message(json.dumps(message))
    return header["msg_id"]


async def _until(
    connection: WebSocketClientConnection, asked: str, end: str
) -> list[dict[str, Any]]:
    """The messages up to the one about `asked` that is of the kind, or says the state, `end`."""
    sent: list[dict[str, Any]] = []
    while (text := await connection.read_message()) is not None:
        sent.append(message := json.loads(text))
        ends = end in (message["header"]["msg_type"], message["content"].get("execution_state"))
        if message["parent_header"].get("msg_id") == asked and ends:
            break
    return sent


def test_apart_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Working folder and configuration folders are those of before, also when the server ends in an
    error.
    """
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", "/as/before")
    monkeypatch.delenv("JUPYTER_CONFIG_PATH", raising=False)
    here = Path.cwd()
    with contextlib.suppress(RuntimeError), serving.apart(tmp_path):
        assert (
            Path.cwd(),
            os.environ["JUPYTER_CONFIG_DIR"],
            os.environ["JUPYTER_CONFIG_PATH"],
        ) == (
            tmp_path,
            str(tmp_path),
            str(tmp_path),
        )
        raise RuntimeError
    assert (Path.cwd(), os.environ["JUPYTER_CONFIG_DIR"], "JUPYTER_CONFIG_PATH" in os.environ) == (
        here,
        "/as/before",
        False,
    )


def test_jupyterlab_takes_nothing_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`promptops lab` in a hostile folder: JupyterLab prints its settings, and none of the folder's
    files was executed.
    """
    folder = hostile(tmp_path / "checkout")
    called: list[list[str]] = []
    monkeypatch.chdir(folder)
    monkeypatch.setattr(os, "execv", lambda _program, command: called.append(command))
    done = CliRunner().invoke(tour.lab, ["tour"], catch_exceptions=False)
    assert done.exit_code == 0
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shown = subprocess.run(  # from the working folder in which the process would become JupyterLab
        [*called[0], "--show-config"],
        cwd=Path.cwd(),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert str(folder / "tour" / "notebooks" / "01_quickstart.ipynb") in called[0]
    assert str(folder) not in shown.stdout.replace(str(folder / "tour"), "")
    assert not (folder / "RAN").exists()


def test_a_page_that_closes_ends_its_kernel(page: Page) -> None:
    """The page has what its request on closing needs, which Voilà refuses without it."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with browser.open(f"http://127.0.0.1:{page.port}/?token={TOKEN}", timeout=60) as answer:
        kernel = re.search(r'"kernelId":\s*"([0-9a-f-]{36})"', answer.read().decode())
    assert kernel
    closing = f"http://127.0.0.1:{page.port}/voila/api/shutdown/{kernel[1]}"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        browser.open(closing, data=b"", timeout=60)
    (cookie,) = [each.value for each in jar if each.name == "_xsrf"]
    with browser.open(closing, data=f"_xsrf={cookie}".encode(), timeout=60) as answer:
        assert answer.status == 204


async def _connect(page: Page, kernel: str) -> WebSocketClientConnection:
    """A connection to a kernel that runs."""
    address = f"ws://127.0.0.1:{page.port}/api/kernels/{kernel}/channels"
    connection = await websocket_connect(f"{address}?session_id=s&token={TOKEN}")
    await connection.read_message()  # the first one tells that the channels are open
    return connection


def test_a_kernel_ends_with_the_window_of_its_page_and_outlives_a_lost_connection(
    page: Page,
) -> None:
    """A browser that closes a window says so as it closes the connection; one that was cut off says
    nothing, and finds its kernel again.
    """
    with urllib.request.urlopen(f"http://127.0.0.1:{page.port}/?token={TOKEN}") as answer:
        kernel = re.search(r'"kernelId":\s*"([0-9a-f-]{36})"', answer.read().decode())
    assert kernel

    ending = f"Kernel shutdown: {kernel[1]}"

    async def story() -> None:
        one = await _connect(page, kernel[1])
        one.close()
        await asyncio.sleep(6 * discreet.GRACE_S)
        one, other = await _connect(page, kernel[1]), await _connect(page, kernel[1])
        one.close(discreet.GOING_AWAY)
        await asyncio.sleep(6 * discreet.GRACE_S)
        assert ending not in page.log.read_text(encoding="utf-8")  # the other window has it still
        other.close(discreet.GOING_AWAY)
        until = time.monotonic() + 30
        while ending not in page.log.read_text(encoding="utf-8"):
            assert time.monotonic() < until
            await asyncio.sleep(0.1)

    asyncio.run(story())
