"""`promptops dashboard`: on loopback, behind a token, read-only, unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from promptops.cli import dashboard_command
from promptops.cli.serving import base_of, closed


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


@pytest.mark.parametrize(
    ("ip", "base_url", "secure"),
    [
        ("127.0.0.1", "/", False),
        ("127.0.0.1", "/team/", False),
        ("127.0.0.1", "https://team.example/promptops", True),
        ("0.0.0.0", "/", True),
        ("0.0.0.0", "http://intranet.example/", False),
        ("10.0.0.7", "https://team.example:8443/a/b/", True),
    ],
)
def test_cookies_are_the_sites_own_and_go_by_https_beyond_loopback(
    tmp_path: Path, ip: str, base_url: str, secure: bool
) -> None:
    """SameSite always; Secure where the page has https, or is reached from elsewhere and nobody
    said that it has none. A kernel that lost its page ends.
    """
    config = closed(tmp_path, ip, 8866, base_url)
    assert config.IdentityProvider.cookie_options == {"samesite": "Strict"}
    assert bool(config.IdentityProvider.get("secure_cookie", False)) is secure
    assert config.Voila.base_url == base_of(base_url)[2]
    assert 0 < config.MappingKernelManager.cull_idle_timeout <= 3600
    host = base_of(base_url)[1]
    headers = config.Voila.tornado_settings["headers"]["Content-Security-Policy"]
    assert not host or f"wss://{host}" in headers


@pytest.mark.parametrize(
    "url",
    [
        "",
        "team",
        "//evil.test/",
        "https://",
        "ftp://a/",
        "/a b/",
        "/a;b/",
        "/a/\n",
        "https://u:p@a/",
    ],
)
def test_what_is_not_an_address_is_refused_before_anything_listens(
    tmp_path: Path, url: str
) -> None:
    """What goes into a header and a path is an address of letters and digits."""
    done = CliRunner().invoke(
        dashboard_command.dashboard, ["--root", str(tmp_path), "--base-url", url]
    )
    assert done.exit_code == 2
    assert "is not the address of a page" in done.output
