"""One comment per pull request, against a loopback server that plays the host's interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from promptops.cli.__main__ import group
from promptops.errors import SetupError
from promptops.testing.pull_request import PullRequest

TOKEN = "ghs_0123456789abcdefghijklmnop"


class Host:
    """Comments by number, as the host keeps them; 100 per page."""

    def __init__(self, server: HTTPServer) -> None:
        self.comments: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.api = server.url_for("").rstrip("/")
        server.expect_request("/repos/o/r/issues/7/comments").respond_with_handler(self.listed)
        for number in range(1, 400):
            path = f"/repos/o/r/issues/comments/{number}"
            server.expect_request(path).respond_with_handler(self.edited)

    def listed(self, request: Request) -> Response:
        self.asked.append((request.method, request.headers.get("Authorization", "")))
        if request.method == "POST":
            body = json.loads(request.data)["body"]
            self.comments.append({"id": len(self.comments) + 1, "body": body})
            return Response(json.dumps(self.comments[-1]), status=201)
        page = int(request.args.get("page", 1))
        rows = self.comments[(page - 1) * 100 : page * 100]
        headers = {}
        if len(self.comments) > page * 100:
            address = f"{self.api}/repos/o/r/issues/7/comments?per_page=100&page={page + 1}"
            headers["Link"] = f'<{address}>; rel="next"'
        return Response(json.dumps(rows), headers=headers)

    def edited(self, request: Request) -> Response:
        self.asked.append((request.method, request.headers.get("Authorization", "")))
        number = int(request.path.rsplit("/", 1)[1])
        self.comments[number - 1]["body"] = json.loads(request.data)["body"]
        return Response(json.dumps(self.comments[number - 1]))


@pytest.fixture
def host(httpserver: HTTPServer) -> Host:
    return Host(httpserver)


def test_created_once_then_edited(host: Host) -> None:
    """A second push edits; the same text sends nothing; another name is another comment."""
    pull = PullRequest("o/r", 7, TOKEN, host.api)
    assert pull.comment("v2 holds") == "created"
    assert pull.comment("v3 holds") == "edited"
    assert pull.comment("v3 holds") == "unchanged"
    assert pull.comment("other", name="nightly") == "created"
    assert [each["body"].splitlines()[-1] for each in host.comments] == ["v3 holds", "other"]


def test_ours_is_found_behind_many_others(host: Host) -> None:
    """On a later page; what people wrote stays."""
    host.comments = [{"id": n, "body": f"person {n}"} for n in range(1, 251)]
    pull = PullRequest("o/r", 7, TOKEN, host.api)
    assert pull.comment("one") == "created"
    assert pull.comment("two") == "edited"
    assert len(host.comments) == 251
    assert host.comments[0]["body"] == "person 1"


def test_nothing_is_sent_from_a_fork(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token the command says so and succeeds."""
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    (tmp_path / "pr.md").write_text("v2 holds")
    told = ["comment", str(tmp_path / "pr.md"), "--repository", "o/r", "--pull-request", "7"]
    done = CliRunner().invoke(group(), [*told, "--api", host.api])
    assert done.exit_code == 0
    assert "no comment" in done.output
    assert host.asked == []
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    assert "created" in CliRunner().invoke(group(), [*told, "--api", host.api]).output
    assert host.asked[0] == ("GET", f"Bearer {TOKEN}")


def test_a_refusal_names_the_answer_and_hides_the_token(httpserver: HTTPServer) -> None:
    """And the token follows no link to another host."""
    httpserver.expect_request("/repos/o/r/issues/7/comments").respond_with_data(
        f"bad credentials {TOKEN}", status=401
    )
    with pytest.raises(SetupError, match="refused \\(401\\): bad credentials") as caught:
        PullRequest("o/r", 7, TOKEN, httpserver.url_for("")).comment("x")
    assert TOKEN not in str(caught.value)


def test_a_long_text_is_cut(host: Host) -> None:
    """The host takes 65,536 characters."""
    PullRequest("o/r", 7, TOKEN, host.api).comment("x" * 100_000)
    assert len(host.comments[0]["body"]) < 65_536


@pytest.mark.parametrize("answer", [{"message": "welcome"}, "hello", 3, None, ["text"], [[1]]])
def test_a_host_that_lists_no_comments_is_one_sentence(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """Another address than that of GitHub's interface: no traceback, and nothing is written."""
    httpserver.expect_request("/repos/o/r/issues/7/comments", method="GET").respond_with_json(
        answer
    )
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_API_URL", httpserver.url_for("").rstrip("/"))
    report = tmp_path / "report.md"
    report.write_text("v2 holds", encoding="utf-8")
    asked = ["comment", str(report), "--repository", "o/r", "--pull-request", "7"]
    found = CliRunner().invoke(group(), asked)
    assert isinstance(found.exception, (SetupError, SystemExit))
    assert "something other than a list of comments" in found.output + str(found.exception)
