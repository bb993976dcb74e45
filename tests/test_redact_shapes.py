"""S11: no known secret reaches the disk, and what the store makes is its owner's alone."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import stat
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import re2

from promptops.key_shapes import HIDDEN, HINT
from promptops.redact import Redactor
from promptops.store import Store
from tests.quick import quick

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
    return Redactor(environ or {})(text)


@pytest.mark.parametrize("name", ["password", "Passwd", "PWD", "kennwort", "db_password"])
@pytest.mark.parametrize("secret", ["S3cret:pw", "a1:b2:c3:d4", "ZumFGwV:4:KDpVhB", "x:9yjTw:b"])
def test_a_password_with_colons_is_found(name: str, secret: str) -> None:
    """What ends most texts at the first look had ended these too."""
    for text in (f"{name}={secret}", f"my {name}: {secret}, so", json.dumps({name: secret})):
        assert secret not in clean(text)
        assert secret not in clean(json.dumps({"output": text}))


@pytest.mark.parametrize("key", SHAPED)
def test_a_key_in_a_provider_s_shape_is_taken_out(key: str) -> None:
    """Bare, in a sentence, and inside JSON inside JSON."""
    nested = json.dumps({"request": json.dumps({"headers": {"x": key}})})
    for text in (key, f"my key is {key}, keep it", nested):
        assert key not in clean(text)
        assert HIDDEN in clean(text)
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
        == f"{HIDDEN} true 1234567890 /somewhere/home-1234"
    )


def test_passwords_in_the_environments_addresses_are_secrets() -> None:
    """Under whatever name; a password that is a plain word stays, as it is in ordinary
    texts.
    """
    environ = {
        "DATABASE_URL": "postgres://bob:tab4se%2Dw0rd@db/x",
        "LOCAL": "postgres://postgres:postgres@localhost/x",
    }
    assert (
        clean("tab4se-w0rd tab4se%2Dw0rd in postgres, says bob", environ)
        == f"{HIDDEN} {HIDDEN} in postgres, says bob"
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


LETTERS = "Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3"
ISSUED = [
    f"sk-{LETTERS}",
    f"sk-ant-api03-{LETTERS}-{LETTERS}AA",
    f"sk-or-v1-{LETTERS.lower()}",
    f"sk-lf-{LETTERS[:8]}-1234-4abc-9def-{LETTERS[:12]}",
    f"sk_test_{LETTERS}",
    f"rk_live_{LETTERS}",
    f"whsec_{LETTERS}",
    f"gsk_{LETTERS}",
    f"hf_{LETTERS}",
    f"xai-{LETTERS}",
    f"r8_{LETTERS}",
    f"pplx-{LETTERS}",
    f"fw_{LETTERS}",
    f"nvapi-{LETTERS}",
    f"tvly-{LETTERS}",
    f"jina_{LETTERS}",
    f"AIzaSy{LETTERS}abc",
    f"ya29.{LETTERS}",
    "AKIAQ7XW9LM4TN2VB8RC",
    "ASIAQ7XW9LM4TN2VB8RC",
    f"aws_secret_access_key = {LETTERS}/+{LETTERS[:14]}",
    f"AccountKey={LETTERS}{LETTERS}==;EndpointSuffix=x",
    f"https://x.blob.example.org/c?sv=2024&sig={LETTERS}%3D",
    f"ghp_{LETTERS}abcdefghijkl",
    f"gho_{LETTERS}abcdefghijkl",
    f"ghs_{LETTERS}abcdefghijkl",
    f"github_pat_{LETTERS}_{LETTERS}",
    f"glpat-{LETTERS}",
    f"gldt-{LETTERS}",
    f"glrt-{LETTERS}",
    f"glptt-{LETTERS}",
    f"npm_{LETTERS}abcdefghijkl",
    f"pypi-AgEIcHlwaS5vcmc{LETTERS}",
    f"rubygems_{LETTERS}",
    f"dckr_pat_{LETTERS}",
    f"hvs.{LETTERS}",
    f"hvb.{LETTERS}",
    f"xoxb-123456789012-{LETTERS}",
    f"xapp-1-A0123-{LETTERS}",
    f"https://hooks.slack.com/services/T0123/B0123/{LETTERS}",
    f"https://discord.com/api/webhooks/1234567890/{LETTERS}",
    f"SG.{LETTERS[:22]}.{LETTERS}{LETTERS[:19]}",
    "key-0123456789abcdef0123456789abcdef",
    "AC0123456789abcdef0123456789abcdef",
    "SK0123456789abcdef0123456789abcdef",
    f"dop_v1_{LETTERS.lower()}",
    f"shpat_{LETTERS.lower()}",
    f"sq0atp-{LETTERS[:22]}",
    f"EAACEdEose0cBA{LETTERS}",
    f"lin_api_{LETTERS}",
    f"secret_{LETTERS}",
    f"ntn_{LETTERS}",
    f"dp.pt.{LETTERS}",
    f"NRAK-{LETTERS.upper()}",
    f"PMAK-{LETTERS.lower()}-{LETTERS.lower()}",
    f"figd_{LETTERS}",
    f"sntrys_{LETTERS}",
    f"glsa_{LETTERS}_1234abcd",
    f"pul-{LETTERS.lower()}",
    f"{LETTERS[:14]}.atlasv1.{LETTERS}{LETTERS}",
    f"ATATT3xFf{LETTERS}",
    f"tskey-auth-{LETTERS}",
    f"lsv2_pt_{LETTERS.lower()}_0123456789",
    "dapi0123456789abcdef0123456789abcdef",
    f"phc_{LETTERS}",
    f"sbp_{LETTERS.lower()}",
    f"pscale_tkn_{LETTERS}",
    f"1234567890:AA{LETTERS}abcdefghi",
    f"eyJhbGciOiJIUzI1NiJ9.eyJ{LETTERS}.{LETTERS}",
    f"AGE-SECRET-KEY-1{LETTERS.upper()}{LETTERS.upper()}",
    "postgres://ann:hunter22@db.example.org/prod",
    "redis://:hunter22@cache:6379/0",
    f"https://{LETTERS.lower()}@o123.ingest.example.org/42",
    f"Authorization: Basic {LETTERS}==",
    f"Authorization: Bearer {LETTERS}",
    f"GOCSPX-{LETTERS}",
    f"fc-{LETTERS}",
    f"sb_secret_{LETTERS}",
    f"tgp_v1_{LETTERS}",
    f"sgp_{LETTERS}",
    f"dp.st.dev.{LETTERS}",
    f"snyk_uat.{LETTERS}",
    f"dt0c01.{LETTERS.upper()}.{LETTERS.upper()}",
    f"abc8Q~{LETTERS}abcdefgh",
    "0123456789abcdef0123456789abcdef-us12",
    f"MTA{LETTERS[:21]}.GabcdE.{LETTERS}abc",
    f"https://acme.webhook.office.com/webhookb2/{LETTERS}",
    f"https://hooks.zapier.com/hooks/catch/123456/{LETTERS}",
    f"DB_PASS='{LETTERS}'",
    f"GITHUB_PAT={LETTERS}",
    f"Cookie: session={LETTERS}",
    f"Authorization: ApiKey {LETTERS}",
    f"Server=x;Uid=ann;Pwd={LETTERS};",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{LETTERS}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{LETTERS}\n-----END PGP PRIVATE KEY BLOCK-----",
]


@pytest.mark.parametrize("text", ISSUED, ids=[each[:24] for each in ISSUED])
def test_every_shape_that_scanners_know_is_taken_out(text: str) -> None:
    """As it stands, in a sentence, in JSON, and through the fast pass over bytes."""
    given = text.replace("postgres", "").replace("example.org", "")
    secret = max(re.findall(r"[A-Za-z0-9]{6,}", given), key=len)
    for shown in (text, f"see {text} there", json.dumps({"a": json.dumps({"b": text})})):
        redactor = Redactor({})
        assert secret not in redactor(shown), redactor(shown)
        assert secret.encode() not in redactor.clean(shown.encode())
        assert "there" in redactor(shown) or not shown.endswith("there")


NAMES = [
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "PGPASSWORD",
    "DB_PASS",
    "DB_PASSWORD",
    "GITHUB_PAT",
    "GH_TOKEN",
    "HF_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SESSION_TOKEN",
    "MYSQL_PWD",
    "REDIS_PASS",
    "SENTRY_DSN",
    "SMTP_PASSWD",
    "SSH_PASSPHRASE",
    "githubToken",
    "dbPassword",
    "X-Api-Key",
    "apikey",
    "APIKEY",
    "SECRET_KEY",
    "DJANGO_SECRET_KEY",
    "CLIENT_SECRET",
    "GOOGLE_APPLICATION_CREDS",
    "SLACK_WEBHOOK_URL",
    "NPM_AUTH_TOKEN",
    "BASIC_AUTH",
    "AUTH_HEADER",
    "JWT_SECRET",
    "COOKIE",
    "SESSION_COOKIE",
    "ENCRYPTION_KEY",
    "SIGNING_KEY",
    "PRIVATE_KEY",
    "AZURE_OPENAI_KEY",
    "KEY_VAULT_CRED",
    "TWILIO_AUTH_TOKEN",
    "SNOWFLAKE_PASSWORD",
    "LANGFUSE_SECRET_KEY",
    "LDAP_BIND_PW",
    "OPENAIKEY",
    "DEPLOYKEY",
    "MOT_DE_PASSE",
    "CONTRASEÑA",
    "DB_SENHA",
    "DB_KENNWORT",
    "API_SCHLÜSSEL",
    "ПАРОЛЬ_БД",
    "数据库密码",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_is_known_by_a_part_of_its_name(name: str) -> None:
    """Its value is found in whatever is written."""
    assert "u7-x9-plain-value" not in Redactor({name: "u7-x9-plain-value"})("a u7-x9-plain-value b")


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "PYTHONPATH",
        "SSH_KEY_PATH",
        "KEYBOARD",
        "AUTHOR",
        "GIT_AUTHOR_NAME",
        "PATTERN",
        "COMPASS",
        "TOKENIZERS_PARALLELISM",
        "PASSENGER",
        "MONKEY",
        "SSH_AUTH_SOCK",
        "HOME",
        "TURKEY",
        "HOTKEYS",
        "CAFÉ",
        "東京",
    ],
)
def test_other_variables_are_left_alone(name: str) -> None:
    """What only resembles such a name holds ordinary values."""
    assert Redactor({name: "u7-x9-plain-value"})("a u7-x9-plain-value b") == "a u7-x9-plain-value b"


@pytest.mark.parametrize(
    "text",
    [
        "secret_of_the_universe_is_forty_two",
        "key-management-system-for-2024-teams",
        "the api_v2_users_list_endpoint",
        "sk-learn pipelines, hf_hub_download, npm_config_registry",
        "https://example.org/a@b and mail to ann@example.org",
        "basic understanding of authorization: see the manual",
        "Prior authorization: PA-2024-0012345 was denied",
        '{"authorization": "123456789012345"}',
        "Authorization #: A1234567890123.",
        "see https://docs.example.org/?key=short&page=2",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Names and words that begin as keys do."""
    assert Redactor({})(text) == text


@pytest.mark.parametrize(
    "secret",
    ["/p@ss w0rd+x&y", '"quoted"<tag>1', "\\back\\\\slash1", "ätz-Gift-99", "it's/so\"secret"],
)
def test_a_known_secret_is_found_however_it_is_written(secret: str) -> None:
    """In an address, a form, HTML, JSON and Python, and through the pass over bytes too."""
    redactor = Redactor({"DB_PASSWORD": secret})
    address = urllib.parse.quote(secret, safe="")
    for shown in (
        secret,
        address,
        re.sub("%..", lambda code: code[0].lower(), address),
        urllib.parse.quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret, ensure_ascii=False))[3:-3],
        repr(secret)[1:-1],
    ):
        assert redactor(f"a {shown} b") == f"a {HIDDEN} b", shown
        assert redactor.clean(f"a {shown} b".encode()) == f"a {HIDDEN} b".encode()
    inside = json.dumps({"a": json.dumps({"b": secret})})
    assert json.loads(json.loads(redactor(inside))["a"]) == {"b": HIDDEN}


@pytest.mark.parametrize(
    "secret", ["/slash-first-99", '"quote-first-99', "\\back-99", "ä-first-99"]
)
@pytest.mark.parametrize("compile", [re.compile, re2.compile])
def test_a_run_of_backslashes_is_tried_once(secret: str, compile: Callable[[bytes], Any]) -> None:
    """JSON may write any number of them before what begins such a secret."""
    redactor = Redactor({"DB_PASSWORD": secret}, compile=compile)
    with quick(1):
        for text in ("\\" * 100_000, f"ä{secret[:-1]}" + "\\" * 100_000):
            redactor(text)


IN_BASE64 = [*(start + "x9" * 12 for start in ("EAAB", "dG9r", "LTAI", "ATATT3"))]
IN_BASE64 += ["AKIA0123456789ABCDEF", "AC" + "0123456789abcdef" * 2]


@pytest.mark.parametrize("key", IN_BASE64)
def test_an_image_that_holds_the_shape_of_a_key_stays_as_it_is(key: str) -> None:
    """In a megabyte of base64 the beginnings of keys stand by chance (one image in 25)."""
    data = base64.b64encode(random.Random(7).randbytes(3_000)).decode()
    for at in (0, 40, 2_000, len(data)):
        image = f"{data[:at]}+{key}{data[at:]}"
        for text in (image, f"data:image/png;base64,{image}", json.dumps({"data": image})):
            assert clean(text) == text, at
    for text in (key, f"/srv/{'a1/' * 60}{key}", f"{data}, {key}", f"{data} {key}/x"):
        assert key not in clean(text)
    assert key not in clean(f"api_key={key}{data}")


def test_a_row_without_a_secret_ends_at_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, names of models and counts of tokens are in every row: the long search, which takes as
    long as a recorded call, is for texts that may hold a key.
    """
    row = {
        "id": "r-0123456789abcdef0123456789abcdef",
        "key": "k1:0123456789abcdef0123456789abcdef",
        "version_id": "p1-0123456789abcdef0123456789abcdef",
        "model_returned": "gpt-4o-mini-2024-07-18",
        "request": json.dumps({"messages": [{"role": "user", "content": "A basic question."}]}),
        "tokens_in": 13,
        "tokens_out": 3,
        "system_fingerprint": "fp_0123456789abcdef",
        "started_at": "2026-11-29T17:00:00.000000",
    }
    searched: list[str] = []
    monkeypatch.setattr("promptops.redact.redact_shapes", lambda text: searched.append(text))
    assert clean(json.dumps(row)) == json.dumps(row)
    assert searched == []


AFTER = ["\n", "\t", "\r\n", "\f", "\b", "é", "\N{GRINNING FACE}", "\\", '"', "C:\\", "="]


@pytest.mark.parametrize("before", AFTER, ids=[json.dumps(each) for each in AFTER])
@pytest.mark.parametrize("text", ISSUED, ids=[each[:24] for each in ISSUED])
def test_a_key_on_a_line_of_its_own_is_found_in_json(text: str, before: str) -> None:
    """JSON writes what ends the line before it as letters, which seem to belong to the key. JSON
    stays JSON, whichever part of an escape begins like a key.
    """
    given = text.replace("postgres", "").replace("example.org", "")
    secret = max(re.findall(r"[A-Za-z0-9]{6,}", given), key=len)
    for ascii_only in (True, False):
        once = json.dumps({"a": before + text}, ensure_ascii=ascii_only)
        twice = json.dumps({"b": once}, ensure_ascii=ascii_only)
        assert secret not in json.loads(clean(once))["a"]
        assert secret not in json.loads(json.loads(clean(twice))["b"])["a"]


HEADERS = [
    "-----BEGIN PRIVATE KEY-----\nMIIE begins the file, as you asked; and more follows",
    "What does `-----BEGIN RSA PRIVATE KEY-----` mean?",
    "-----BEGIN PRIVATE KEY-----\n" + "\n".join([LETTERS] * 3),
    f"\npm_1234567890abcdef\tk_0123456789abcdefghij \n{LETTERS[:10]}.atlasv1.{LETTERS}{LETTERS}",
]


@pytest.mark.parametrize("text", HEADERS)
def test_no_row_is_lost_by_what_is_cleaned(tmp_path: Path, text: str) -> None:
    """A header of a private key that has no end took the rest of the row with it, silently."""
    store = Store(tmp_path / "store")
    document = json.dumps({"messages": [{"role": "user", "content": text}], "model": "m"})
    store.append("runs", [{"id": "r-1", "output": text, "request": document, "tokens_in": 3}])
    store.append(
        "scores",
        [
            {
                "run_id": f"r-{i}",
                "example_fingerprint": "f",
                "scorer": "s",
                "scorer_version": "1",
                "reason": text,
            }
            for i in (1, 2)
        ],
    )
    store.merge()
    [(request, tokens)] = store.rows("select request, tokens_in from runs")
    assert json.loads(request)["model"] == "m"
    assert tokens == 3
    assert store.rows("select count(*) from scores") == [(2,)]
    assert LETTERS not in request


def test_a_secret_that_is_a_number_loses_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a text it is hidden; where JSON has the same number, the row stays a row."""
    monkeypatch.setenv("ACME_TOKEN", "1234567890123456")
    store = Store(tmp_path / "store")
    store.append(
        "runs", [{"id": "r-1", "output": "it is 1234567890123456", "tokens_in": 1234567890123456}]
    )
    store.merge()
    assert store.rows("select output, tokens_in from runs") == [
        (f"it is {HIDDEN}", 1234567890123456)
    ]


def test_a_header_alone_is_no_secret() -> None:
    """A prompt about keys can be saved, and an answer about them is kept whole."""
    for text in HEADERS[:2]:
        assert clean(text) == text


HANDED = [
    f"curl -u ann:{LETTERS} https://x.example",
    f"curl -X POST \\\n  --user 'ann:{LETTERS}' https://x.example",
    f"sshpass -p {LETTERS} ssh x",
    f"mysql -uroot -p{LETTERS} db",
    f"tool --token {LETTERS}",
    f"AKIAQ7XW9LM4TN2VB8RC,{LETTERS}/{LETTERS[:15]}",
    f"AKIAQ7XW9LM4TN2VB8RC\n{LETTERS}+{LETTERS[:15]}\n",
    'api_key = "qwertzuiopasdfghjklyxcvbnmqwertz"',
    f"TOKEN={LETTERS}",
    f'{{"token": "{LETTERS}"}}',
    f"MY_KEY={LETTERS}",
    f"The API key is {LETTERS}",
    f"API key: {LETTERS}",
    f"Passwort: {LETTERS}",
    f"пароль: {LETTERS}",
    f"密码: {LETTERS}",
    "password: hunter2secret!",
    f'apiKey := "{LETTERS}"',
    f"'password' => '{LETTERS}'",
    f"<password>{LETTERS}</password>",
    f'<add key="ApiKey" value="{LETTERS}"/>',
    f"- name: DB_PASSWORD\n  value: {LETTERS}",
    f'{{"name": "x-api-key", "value": "{LETTERS}"}}',
    f"(b'x-api-key', b'{LETTERS}')",
    f"api_key=&quot;{LETTERS}&quot;",
    f"Cookie: a=b; sessionid={LETTERS}",
    f"https:\\/\\/hooks.slack.com\\/services\\/T0000\\/B0000\\/{LETTERS}",
    f"https://discord.com/api/v10/webhooks/123456789012345678/{LETTERS}",
    f"https://api.telegram.org/bot1234567890:AA{LETTERS}abcdefghi/getMe",
    f"postgres://ann:p@ss{LETTERS}@db/x",
    f"pcsk_{LETTERS}_{LETTERS}",
    f"Private-Lines: 1\n{LETTERS}\nPrivate-MAC: 0",
    f"-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC,00\n\n{LETTERS}\n"
    "-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("text", HANDED)
def test_a_key_is_found_by_how_it_is_handed_over(text: str) -> None:
    """On a command line, beside the public half of a pair, and in other languages' notations."""
    secret = max(re.findall(r"[A-Za-z0-9]{6,}", text.replace("AKIAQ7XW9LM4TN2VB8RC", "")), key=len)
    for shown in (text, f"see {text} there", json.dumps({"a": json.dumps({"b": f"\n{text}"})})):
        assert secret not in clean(shown)
        assert secret.encode() not in Redactor({}, re2.compile).clean(shown.encode())
    assert "there" in clean(f"see {text} there")


@pytest.mark.parametrize(
    "text",
    [
        "docker run --user 1000:1000 -p 8080:80 image; see curl -u USER for more",
        "password = getPasswordFromEnvironment2(x), token = tokenizer.encode(text2)",
        'api_key = "YOUR_API_KEY_GOES_HERE"; password: "your-own-password"',
        "The password is base64-encoded; a token is a piece of a word. Secret santa is 2024-12-24.",
        '{"token": "Constantinople", "page_token": "2024-01-15", "key": "uploads/2024/A1b2.pdf"}',
        "-----BEGIN CERTIFICATE-----\nMIIE1234MIIE1234MIIE1234\n-----END CERTIFICATE-----",
        "curl https://example.org/a?b=c -H 'Accept: text/html'",
        "curl -u {{user}}:{{password}} https://example.com",
        "curl -u ada:<password> https://example.com",
        "pwd: /home/ada/projects2024",
    ],
)
def test_what_only_speaks_of_keys_is_left_alone(text: str) -> None:
    """Programs, placeholders and prose keep every character."""
    assert clean(text) == text
    assert json.loads(clean(json.dumps(text))) == text


@pytest.mark.parametrize(
    "text",
    [
        '{"key":"k","prompt":"p","model":"m","output":"an answer","id":"r-00000000000000000007"}',
        f'{{"key":"k1:{7:032x}","output":"The key difference is how secrets are kept."}}',
        "To reset your password, open settings; token usage and authorization come later.",
    ],
)
def test_an_ordinary_row_does_not_begin_the_long_search(text: str) -> None:
    """It takes a thousand times as long; a word such as `password` alone had begun it."""
    assert re.search(HINT, text.encode()) is None
