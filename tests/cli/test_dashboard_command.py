"""`promptops dashboard`: on loopback, behind a token, read-only, unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from promptops.cli import dashboard_command


def test_what_is_served_is_read_only_unless_asked(tmp_path: Path) -> None:
    """The page's one cell says so in Python, whatever the folder is called."""
    odd = tmp_path / 'it\'s "odd"'
    for writes in (False, True):
        cells = dashboard_command.notebook(odd, writes)["cells"]
        assert isinstance(cells, list)
        source = cells[0]["source"]
        compile(source, "cell", "exec")
        assert source.rstrip().endswith(f"writes={writes})")
        assert repr(str(odd)) in source


def test_it_listens_here_alone_with_a_token(tmp_path: Path) -> None:
    """The address, the port and the token are those that were said; no file beside the page is
    served.
    """
    given = dashboard_command.arguments(
        tmp_path / "p.ipynb", "127.0.0.1", 8866, "secret-secret-secret"
    )
    assert "--Voila.ip=127.0.0.1" in given
    assert "--token=secret-secret-secret" in given
    assert given[given.index("--VoilaConfiguration.file_allowlist") + 1] == "^$"
    usual = dashboard_command.dashboard.make_context("dashboard", []).params
    assert (usual["ip"], usual["writes"], usual["token"]) == ("127.0.0.1", False, None)


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    """Before anything listens."""
    done = CliRunner().invoke(
        dashboard_command.dashboard, ["--root", str(tmp_path), "--token", "short"]
    )
    assert done.exit_code == 2
    assert "shorter than 16" in done.output
