"""`promptops dashboard`: the lab's dashboard as a page, for a team: read-only, behind a token, on
this machine alone by default.

The page runs no code of its reader: Voilà serves one notebook of our own, from a folder that is
gone when it ends.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from pathlib import Path

import click

from .serving import apart, base_of, closed

__all__ = ["arguments", "dashboard", "notebook"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Project folder [default: found upwards from here].",
)
@click.option(
    "--ip",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; another one is open to anyone who reaches it and has the token.",
)
@click.option("--port", default=8866, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--writes", is_flag=True, help="Also label, pin, save, promote and roll back from the page."
)
@click.option(
    "--token", envvar="PROMPTOPS_DASHBOARD_TOKEN", help="The token [default: a new one, printed]."
)
@click.option(
    "--base-url",
    default="/",
    show_default=True,
    help="Address that a proxy gives the page, as https://HOST/PATH/ or /PATH/.",
)
def dashboard(
    root: Path | None, ip: str, port: int, writes: bool, token: str | None, base_url: str
) -> None:
    """Serve the dashboard as a page, read-only unless --writes."""
    try:
        from voila.app import Voila
    except ImportError:
        raise click.ClickException(
            "the dashboard page needs Voilà; install it with: pip install 'promptops-toolkit[lab]'"
        ) from None
    from ..study.project import Location

    try:
        scheme, public, path = base_of(base_url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    home = Location.find(root)
    secret = token or secrets.token_urlsafe(24)
    if len(secret) < 16:
        raise click.UsageError(
            "the token is shorter than 16 characters; leave it out for a fresh one."
        )
    with tempfile.TemporaryDirectory(prefix="promptops-dashboard-") as folder:
        page = Path(folder).resolve() / "dashboard.ipynb"
        page.write_text(json.dumps(notebook(home.root, writes)), encoding="utf-8")
        os.chmod(page, 0o600)
        host = f"[{ip}]" if ":" in ip else ip
        address = f"{scheme}://{public}" if public else f"http://{host}:{port}"
        click.echo(
            f"{'the dashboard' if writes else 'the dashboard, read-only,'} of {home.root}:"
            f" {address}{path}?token={secret}"
        )
        if ip not in _LOOPBACK and scheme != "https":
            click.echo(
                "It listens beyond this machine, without encryption: put it behind a proxy that"
                " has it.",
                err=True,
            )
        with apart(page.parent):
            Voila.launch_instance(
                argv=arguments(page, ip, port, secret),
                config=closed(page.parent, ip, port, base_url),
            )


def notebook(root: Path, writes: bool) -> dict[str, object]:
    """The one notebook that is served."""
    source = (
        "from contextlib import redirect_stdout\nfrom io import StringIO\n\n"
        "from IPython.display import HTML, display\n\n"
        "from promptops.lab import Lab\nfrom promptops.views.dashboard import dashboard\n"
        "from promptops.views.theme import BY_SYSTEM\n\ndisplay(HTML(BY_SYSTEM))\n"
        "with redirect_stdout(StringIO()):  # readers of the page have no use for the path\n"
        f"    lab = Lab({str(root)!r})\ndashboard(lab, writes={writes!r})\n"
    )
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "dashboard",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [cell]}


def arguments(page: Path, ip: str, port: int, token: str) -> list[str]:
    """What Voilà is started with."""
    return [
        str(page),
        "--no-browser",
        f"--Voila.ip={ip}",
        f"--port={port}",
        "--Voila.port_retries=0",
        f"--token={token}",
        "--show_tracebacks=False",
        "--VoilaConfiguration.file_allowlist",
        "^$",  # no file beside the page is served
    ]
