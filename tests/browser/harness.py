"""A real JupyterLab, a real Voilà and a real Chromium, each in folders of its own, on loopback
behind a token of chance.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
_CALM = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


def missing() -> str:
    """Why no browser test can run here; empty if they can."""
    if not Path(CHROMIUM).exists():
        return f"no {CHROMIUM}: install Debian's chromium to run the browser suite"
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    return ""


def notebook(cells: Sequence[str]) -> str:
    """A notebook of these code cells."""
    made = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": text,
        }
        for i, text in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": made})


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def jupyterlab(folder: Path, home: Path, *more: str) -> Iterator[str]:
    """A JupyterLab that shows `folder`; its own state is in `home`; more: options.

    Gives `http://.../` and the token as one URL prefix and suffix.
    """
    settings = home / "settings"
    place = settings / "@jupyterlab" / "apputils-extension"
    place.mkdir(parents=True, exist_ok=True)
    (place / "notification.jupyterlab-settings").write_text(json.dumps(_CALM))
    cells = settings / "@jupyterlab" / "notebook-extension"
    cells.mkdir(parents=True, exist_ok=True)
    (cells / "tracker.jupyterlab-settings").write_text(
        json.dumps({"windowingMode": "none"})
    )  # every cell is in the page
    theme = os.environ.get("PROMPTOPS_TEST_THEME")
    if theme:
        (place / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
    env = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    port, token = free_port(), secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}", "--no-browser", "--allow-root", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
        f"--ServerApp.root_dir={folder}", *more,
    ]  # fmt: skip
    with served(
        command, f"http://127.0.0.1:{port}/api/status?token={token}", env, home / "lab.log"
    ):
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}?reset&token={token}"
        urllib.request.urlopen(
            urllib.request.Request(
                f"http://127.0.0.1:{port}/api/shutdown?token={token}", method="POST"
            ),
            timeout=10,
        )


@contextmanager
def served(
    command: Sequence[str], probe: str, env: dict[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers at `probe`, ended at the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command), env=env, stdout=out, stderr=subprocess.STDOUT, cwd=cwd
        )
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(probe, timeout=20).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise AssertionError(
                        f"the server does not answer: {log.read_text(errors='replace')[-1500:]}"
                    ) from None
                time.sleep(0.3)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def chromium() -> Iterator[Any]:
    """A playwright browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def open_notebook(page: Any, url: str, name: str) -> None:
    """Wait until the notebook is there and its kernel is idle."""
    page.goto(url.format(name), wait_until="domcontentloaded")
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook", timeout=60_000)
    page.wait_for_function(
        "window.jupyterapp?.shell?.currentWidget?.sessionContext?.isReady === true", timeout=60_000
    )
    idle(page)


def idle(page: Any) -> None:
    """Wait until the kernel has nothing to do."""
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'",
        timeout=60_000,
    )


def run_all(page: Any) -> None:
    """Run every cell and wait for the last."""
    page.evaluate(
        "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
    )
    idle(page)


def copy_data(folder: Path) -> None:
    """The tour's tickets."""
    shutil.copyfile(
        Path(__file__).resolve().parents[2] / "data" / "support_tickets.jsonl",
        folder / "support_tickets.jsonl",
    )
