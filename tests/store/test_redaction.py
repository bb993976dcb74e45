"""S11: no known secret reaches the disk, and what the store makes is its owner's alone."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from promptops.store import Store
from promptops.store.redaction import MARK, Redactor

CANARY = "canary-9f8e7d6c5b4a"
TOLD = 'told"with\\quotes-é-42'
SHAPED = [
    "sk-proj-0123456789abcdefABCDEF",
    "ghp_0123456789abcdefghijKLMNOP",
    "github_pat_0123456789abcdefghijKLMNOP",
    "AKIA0123456789ABCDEF",
    "AIza0123456789abcdefghijklmnopqrstuvwxy",
    "xoxb-0123456789-abcdefghij",
    "hf_0123456789abcdefghijKLMN",
    "gsk_0123456789abcdefghijKLMN",
    "xai-0123456789abcdefghijKLMN",
    "sk_live_0123456789abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
]


def clean(text: str, environ: dict[str, str] | None = None) -> str:
    return Redactor(environ or {})(text.encode()).decode()


@pytest.mark.parametrize("key", SHAPED)
def test_a_key_in_a_provider_s_shape_is_taken_out(key: str) -> None:
    """Bare, in a sentence, and inside JSON inside JSON."""
    nested = json.dumps({"request": json.dumps({"headers": {"x": key}})})
    for text in (key, f"my key is {key}, keep it", nested):
        assert key not in clean(text)
        assert MARK in clean(text)
    json.loads(clean(nested))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdef123456789", "abcdef123456789"),
        ('{"api_key": "ABCDEF1234567890"}', "ABCDEF1234567890"),
        ("password = correct-horse-7-battery", "correct-horse-7-battery"),
        ("AWS_SECRET_ACCESS_KEY=AbCd/1234+efgh", "AbCd/1234+efgh"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE1234\nabcd==\n-----END RSA PRIVATE KEY-----",
            "MIIE1234",
        ),
    ],
)
def test_a_value_that_is_called_a_secret_is_taken_out(text: str, secret: str) -> None:
    """Headers, assignments and blocks."""
    assert secret not in clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "a task-management-system-of-the-future",
        '{"tokens_in":123456789012345,"max_tokens":4096}',
        "Your password: please choose a new one. The secret: patience and practice.",
        (
            "r-18eb276b77b3a04a997d9c95e1293c24 p1-e39644a155e5f6fe"
            " k1:00000000000000000000000000000000"
        ),
        "the bearer of this letter, Mr Constantinopolitan",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    """Ids, numbers and prose are never touched."""
    assert clean(text) == text


def test_variables_that_are_named_like_secrets_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their values, but not flags, numbers and words that such a variable may hold too."""
    environ = {
        "ACME_API_KEY": CANARY,
        "USE_TOKEN": "true",
        "MAX_KEY": "1234567890",
        "HOME": "/somewhere/home-1234",
    }
    assert (
        clean(f"{CANARY} true 1234567890 /somewhere/home-1234", environ)
        == f"{MARK} true 1234567890 /somewhere/home-1234"
    )


def test_passwords_in_the_environments_addresses_are_secrets() -> None:
    """Under whatever name; a password that is a plain word stays, as it stands in ordinary
    texts.
    """
    environ = {
        "DATABASE_URL": "postgres://bob:tab4se%2Dw0rd@db/x",
        "LOCAL": "postgres://postgres:postgres@localhost/x",
    }
    assert (
        clean("tab4se-w0rd tab4se%2Dw0rd in postgres, says bob", environ)
        == f"{MARK} {MARK} in postgres, says bob"
    )


def test_no_canary_is_in_any_byte_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets in every text column of every table, then a byte search of segments, DuckDB file,
    archive and export.
    """
    monkeypatch.setenv("ACME_API_KEY", CANARY)
    store = Store(tmp_path / "store")
    store.keep_secret(TOLD)
    nasty = f"x {CANARY} y {TOLD} z {' '.join(SHAPED)}"
    document = json.dumps({"nested": json.dumps({"headers": nasty}, ensure_ascii=False)})
    store.append(
        "runs",
        [
            {
                "id": "r-1",
                "output": nasty,
                "request": document,
                "failure_detail": nasty,
                "tool_calls": document,
            }
        ],
    )
    store.append("attempts", [{"run_id": "r-1", "number": 1, "detail": nasty}])
    store.append(
        "scores",
        [
            {
                "run_id": "r-1",
                "example_fingerprint": "f",
                "scorer": "s",
                "scorer_version": "1",
                "reason": nasty,
            }
        ],
    )
    store.append("labels", [{"id": "l", "run_id": "r-1", "note": nasty}])
    store.append(
        "runs", [{"id": "r-2", "output": "a" * 999_990 + CANARY + "b" * 100}]
    )  # across the cap
    store.merge()
    store.close()
    store.archive()
    store.export(tmp_path / "export.jsonl")
    forms = [CANARY, TOLD, json.dumps(TOLD, ensure_ascii=False)[1:-1], *SHAPED, "told", CANARY[:10]]
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        data = path.read_bytes()
        assert not [form for form in forms if form.encode() in data], path
    assert store.rows("select count(*) from runs where output like '%[redacted]%'") == [(2,)]
    json.loads(json.loads(store.rows("select request from runs where id = 'r-1'")[0][0])["nested"])


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Folders 0700, files 0600, whatever the umask; and an ignore file keeps it all out of git."""
    folder = tmp_path / "deep" / "store"
    store = Store(folder)
    store.append(
        "study_events", [{"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": "one"}]
    )
    store.merge()
    store.close()
    store.archive()
    store.append(
        "study_events", [{"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": "two"}]
    )
    store.merge()
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert len(found) > 8
    assert {path: oct(mode) for path, mode in found.items() if mode & 0o077} == {}
    assert "*" in (folder / ".gitignore").read_text().splitlines()
