"""Law: many machines get the registry verified and whole, or keep what they had; an export serves
as its source does.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops import Loader, PromptVersion, RegistryCorrupt, RegistryError
from promptops.registry import document
from promptops.registry.editor import Editor
from promptops.registry.registry_export import export, export_file
from promptops.registry.sync import sync

NAME = "support-triage"
V = [PromptVersion(f"Version {number}: {{{{ticket}}}}") for number in range(1, 7)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source" / "promptops.json"
    path.parent.mkdir()
    editor = Editor(path)
    for version in V:
        editor.save(NAME, version)
    for number in (1, 2, 3, 4):
        editor.promote(NAME, number, "dev", author="ann")
    editor.promote(NAME, 5, "dev", author="ann", percent=20)
    editor.promote(NAME, 1, "prod", author="ann", force=True, reason="x")
    editor.save("nowhere", V[0])
    return path


class Host(http.server.BaseHTTPRequestHandler):
    """Serves `body` under one ETag; counts what it sent; can cut short, redirect or refuse."""

    body = b""
    behaviour = ""
    sent: list[tuple[int, dict[str, str]]]

    def do_GET(self) -> None:
        kind = type(self)
        headers = dict(self.headers)
        if kind.behaviour == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/registry.json")
            self.end_headers()
            return
        if kind.behaviour == "500":
            kind.sent.append((500, headers))
            self.send_error(500)
            return
        tag = f'"{hash(kind.body)}"'
        if headers.get("If-none-match") == tag or headers.get("If-None-Match") == tag:
            kind.sent.append((304, headers))
            self.send_response(304)
            self.end_headers()
            return
        kind.sent.append((200, headers))
        self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(kind.body)))
        self.end_headers()
        self.wfile.write(kind.body[: len(kind.body) // 2] if kind.behaviour == "cut" else kind.body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def host(source: Path) -> Iterator[tuple[type[Host], str]]:
    kind = type("OneHost", (Host,), {"body": source.read_bytes(), "sent": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield kind, f"http://127.0.0.1:{server.server_port}/promptops.json"
    server.shutdown()
    server.server_close()


def test_a_file_is_copied_whole_and_once(source: Path, tmp_path: Path) -> None:
    """From a file: written, then left alone while the bytes are the same, then the next change."""
    dest = tmp_path / "machine" / "promptops.json"
    assert sync(str(source), str(dest)).changed
    assert dest.read_bytes() == source.read_bytes()
    assert not sync(str(source), str(dest)).changed
    Editor(source).rollback(NAME, "dev", author="ann")
    assert sync(str(source), str(dest)).changed
    assert [path.name for path in dest.parent.iterdir()] == ["promptops.json"]


def test_https_is_asked_with_its_etag(host: tuple[type[Host], str], tmp_path: Path) -> None:
    """An unchanged registry is not sent again; a changed file here, or there, is.

    A header is sent and never stored.
    """
    kind, address = host
    dest = tmp_path / "machine" / "promptops.json"
    assert sync(address, str(dest), headers={"Authorization": "Bearer secret-token"}).changed
    assert not sync(address, str(dest), headers={"Authorization": "Bearer secret-token"}).changed
    assert [code for code, _ in kind.sent] == [200, 304]
    assert all(headers["Authorization"] == "Bearer secret-token" for _, headers in kind.sent)
    assert all(b"secret-token" not in path.read_bytes() for path in dest.parent.iterdir())
    dest.write_bytes(b"{}")  # somebody spoiled it: the tag no longer means what is here
    assert sync(address, str(dest)).changed
    assert dest.read_bytes() == kind.body
    kind.body = kind.body.replace(b'"note"', b'"note"') + b"\n"
    assert sync(address, str(dest)).changed
    assert [code for code, _ in kind.sent] == [200, 304, 200, 200]


@pytest.mark.parametrize("behaviour", ["cut", "500", "redirect", "torn", "edited", "html"])
def test_whatever_goes_wrong_leaves_what_was_there(
    host: tuple[type[Host], str], tmp_path: Path, behaviour: str
) -> None:
    """Cut short, an error page, a redirect to plain http, a torn or edited registry: an error, and
    the old file serves on.
    """
    kind, address = host
    dest = tmp_path / "promptops.json"
    sync(address, str(dest))
    before = dest.read_bytes()
    loader = Loader(dest, saved_copy=False)
    assert loader.get(NAME, "dev").number == 4
    if behaviour == "torn":
        kind.body = kind.body[:-40]
    elif behaviour == "edited":
        kind.body = kind.body.replace(b"Version 2", b"Version 9")
    elif behaviour == "html":
        kind.body = b"<html>log in first</html>"
    else:
        kind.body += b"\n"
        kind.behaviour = behaviour
    with pytest.raises((RegistryError, RegistryCorrupt)) as caught:
        sync(address, str(dest), timeout_s=5)
    assert "\n" not in str(caught.value)
    assert dest.read_bytes() == before
    assert loader.get(NAME, "dev").source == "file"


def test_only_https_and_files(tmp_path: Path) -> None:
    """Plain http to another host, ftp and file addresses are refused before anything is asked."""
    for address in (
        "http://example.com/promptops.json",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "gopher://x/",
    ):
        with pytest.raises(RegistryError, match="not https"):
            sync(address, str(tmp_path / "r.json"))
    with pytest.raises(RegistryError, match="cannot be read"):
        sync(str(tmp_path / "absent.json"), str(tmp_path / "r.json"))


def test_a_secret_in_the_address_is_neither_kept_nor_said(
    host: tuple[type[Host], str], tmp_path: Path
) -> None:
    """A signed address, as object stores give one, works and is not sent in vain a second time."""
    kind, address = host
    dest = tmp_path / "machine" / "promptops.json"
    signed = f"{address}?sig=hunter2"
    assert sync(signed, str(dest)).changed
    assert not sync(signed, str(dest)).changed
    assert [code for code, _ in kind.sent] == [200, 304]
    assert all(b"hunter2" not in path.read_bytes() for path in dest.parent.iterdir())
    for behaviour in ("500", "redirect", "cut"):
        kind.behaviour, kind.body = behaviour, kind.body + b"\n"
        with pytest.raises(RegistryError, match="json") as caught:
            sync(signed, str(dest))
        assert "hunter2" not in str(caught.value)
    kind.behaviour, kind.body = "", b"{"
    named = address.replace("http://", "http://ann:hunter2@")
    for odd, said in (
        (signed, "not"),
        (named, "name or password"),
        ("https://[::1?hunter2", "not an"),
    ):
        with pytest.raises((RegistryError, RegistryCorrupt), match=said) as caught:
            sync(odd, str(dest))
        assert "hunter2" not in str(caught.value)


def test_an_export_serves_as_its_source_does(source: Path, tmp_path: Path) -> None:
    """Small, sealed as in the source, with canary; only what the last N deployments of that
    environment cite is in it.
    """
    dest = tmp_path / "dev.json"
    assert export_file(str(source), str(dest), "dev", last=2)
    assert not export_file(str(source), str(dest), "dev", last=2)
    small = document.parse(dest.read_bytes(), "dev")
    assert list(document.check(small)) == []
    assert list(small["prompts"]) == [NAME]
    assert [entry["number"] for entry in small["prompts"][NAME]["versions"]] == [4, 5]
    whole, part = Loader(source, saved_copy=False), Loader(dest, saved_copy=False)
    for key in (None, *range(200)):
        one, two = whole.get(NAME, "dev", key=key), part.get(NAME, "dev", key=key)
        assert (one.number, one.id, one.arm) == (two.number, two.id, two.arm)
    assert dest.stat().st_size < source.stat().st_size / 2


def test_an_export_of_an_export_and_the_next_one_go_forward(source: Path, tmp_path: Path) -> None:
    """A later export goes on from an earlier one, though the links between were left out; health
    does not cry.
    """
    dest = tmp_path / "dev.json"
    export_file(str(source), str(dest), "dev", last=1)
    loader = Loader(dest, saved_copy=False)
    assert loader.get(NAME, "dev").number == 4
    editor = Editor(source)
    editor.finish(NAME, "dev", author="ann")
    editor.promote(NAME, 6, "dev", author="ann")
    export_file(str(source), str(dest), "dev", last=1)
    assert loader.get(NAME, "dev").number == 6
    assert loader.health()["went_back"] == {}
    twice = export(document.parse(dest.read_bytes(), "x"), "dev", last=1)
    assert twice["prompts"] == document.parse(dest.read_bytes(), "x")["prompts"]


def test_an_export_cannot_be_written_to(source: Path, tmp_path: Path) -> None:
    """Changes belong into the registry that it was made from."""
    dest = tmp_path / "dev.json"
    export_file(str(source), str(dest), "dev")
    for call in (
        lambda: Editor(dest).save(NAME, PromptVersion("new")),
        lambda: Editor(dest).rollback(NAME, "dev", author="a"),
    ):
        with pytest.raises(RegistryError, match="is an export"):
            call()
    with pytest.raises(RegistryError, match="serves nothing in 'staging'"):
        export_file(str(source), str(dest), "staging")
    with pytest.raises(RegistryError, match="last=1 or more"):
        export_file(str(source), str(dest), "dev", last=0)


def test_an_unsound_source_is_not_exported(source: Path, tmp_path: Path) -> None:
    """Verified first: an edited version stops it, by name."""
    raw = json.loads(source.read_text(encoding="utf-8"))
    raw["prompts"][NAME]["versions"][3]["model"] = "other"
    source.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(RegistryCorrupt, match="v4 was edited"):
        export_file(str(source), str(tmp_path / "dev.json"), "dev")
    assert not (tmp_path / "dev.json").exists()
