"""Law: the loader serves what the file says at the next get, and never takes an application down
(G3 to G5, G9, decisions 6 and 14).
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import multiprocessing
import os
import pickle
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import (
    Loader,
    NotDeployed,
    PromptVersion,
    Refused,
    RegistryCorrupt,
    RegistryNotFound,
    UnknownPrompt,
)
from promptops.registry import read_view, saved_copy, source
from promptops.registry.editor import Editor

NAME = "support-triage"
V = [
    PromptVersion("Classify: {{ticket}}", model="small", settings={"temperature": 0}),
    PromptVersion(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ticket}}"}],
        model="large",
    ),
    PromptVersion("Third {{ticket}}"),
]


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("PROMPTOPS_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("PROMPTOPS_ENV", raising=False)
    monkeypatch.delenv("PROMPTOPS_REGISTRY", raising=False)
    yield
    copies_written()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    editor = Editor(tmp_path / "promptops.json")
    for version in V:
        editor.save(NAME, version)
    editor.save("other", V[2])
    editor.promote(NAME, 1, "dev", author="ann")
    editor.promote(NAME, 2, "prod", author="ann", force=True, reason="test")
    editor.promote("other", 1, "prod", author="ann", force=True, reason="test")
    return tmp_path / "promptops.json"


def copies_written() -> None:
    for thread in threading.enumerate():
        if thread.name == "promptops-copy":
            thread.join()


def settled() -> None:
    time.sleep(read_view.SETTLE_S + 0.01)


# -- what is served


def test_a_served_version_is_the_version_and_says_where_from(path: Path) -> None:
    """number, id, model, settings, messages and request of the version itself; source file, age 0,
    no reason.
    """
    served = Loader(path).get(NAME, "dev")
    assert (served.name, served.env, served.number, served.id, served.version) == (
        NAME,
        "dev",
        1,
        V[0].id,
        V[0],
    )
    assert (served.source, served.age_s, served.reason, served.arm) == ("file", 0.0, "", None)
    assert (served.model, served.settings, served.variables) == (
        "small",
        {"temperature": 0},
        V[0].variables,
    )
    assert served.messages(ticket="x") == V[0].render({"ticket": "x"})
    assert served.request(ticket="x") == V[0].request(ticket="x")
    with pytest.raises(AttributeError, match="fixed"):
        served.number = 2
    assert "support-triage v1" in repr(served)


def test_load_finds_registry_and_environment(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """PROMPTOPS_ENV and PROMPTOPS_REGISTRY, or upwards from the working directory; arguments
    win.
    """
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert promptops.load(NAME, env="dev").number == 1
    monkeypatch.setenv("PROMPTOPS_ENV", "prod")
    assert promptops.load(NAME).number == 2
    assert promptops.load(NAME, env="dev").number == 1
    elsewhere = tmp_path / "elsewhere.json"
    Editor(elsewhere).save(NAME, V[2])
    Editor(elsewhere).promote(NAME, 1, "dev", author="a")
    assert promptops.load(NAME, env="dev", registry=elsewhere).id == V[2].id
    monkeypatch.setenv("PROMPTOPS_REGISTRY", str(elsewhere))
    assert promptops.load(NAME, env="dev").id == V[2].id
    monkeypatch.delenv("PROMPTOPS_ENV")
    with pytest.raises(NotDeployed, match="PROMPTOPS_ENV"):
        promptops.load(NAME)


def test_errors_name_what_there_is(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G4: no file, unknown prompt, no deployment: one sentence each, with where it looked or what
    it holds.
    """
    loader = Loader(path)
    with pytest.raises(UnknownPrompt, match=f"it holds {NAME}"):
        loader.get("support-triag", "dev")
    with pytest.raises(NotDeployed, match="it serves dev, prod"):
        loader.get(NAME, "production")
    with pytest.raises(RegistryNotFound, match=str(tmp_path / "absent.json")):
        Loader(tmp_path / "absent.json").get(NAME, "dev")
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "promptops.json").rename(tmp_path / "moved.json")
    monkeypatch.chdir(empty)
    with pytest.raises(
        RegistryNotFound,
        match=rf"no promptops.json in {empty} or any folder above it.*PROMPTOPS_REGISTRY",
    ):
        promptops.load(NAME, env="dev")
    for error in (UnknownPrompt, NotDeployed):
        assert issubclass(error, KeyError)
    assert issubclass(RegistryNotFound, FileNotFoundError)


@pytest.mark.parametrize("bad", [None, b"", b"{", b"null", b'{"promptops": 1, "prompts": {}}'])
def test_a_cold_start_serves_the_default_with_its_settings(
    tmp_path: Path, bad: bytes | None
) -> None:
    """G4: without a good file the default in the code serves, as a version with settings, text or
    messages; source says so.
    """
    path = tmp_path / "promptops.json"
    if bad is not None:
        path.write_bytes(bad)
    loader = Loader(path)
    served = loader.get(NAME, "prod", default=V[0])
    assert (served.source, served.id, served.number) == ("default", V[0].id, None)
    assert served.request(ticket="x")["temperature"] == 0
    assert served.reason
    assert loader.get(NAME, "prod", default="Say {{x}}").messages(x="1") == [
        {"role": "user", "content": "Say 1"}
    ]
    assert (
        loader.get(NAME, "prod", default=[{"role": "system", "content": "a"}]).messages()[0]["role"]
        == "system"
    )
    with pytest.raises((RegistryNotFound, RegistryCorrupt, UnknownPrompt)):
        loader.get(NAME, "prod")
    editor_path = tmp_path / "good.json"
    Editor(editor_path).save(NAME, V[1])
    Editor(editor_path).promote(NAME, 1, "dev", author="a")
    os.replace(editor_path, path)
    assert loader.get(NAME, "dev", default=V[0]).id == V[1].id  # a good file wins at the next get


def test_a_default_serves_where_the_environment_is_not_known(path: Path) -> None:
    """PROMPTOPS_ENV forgotten: an application that brought a default goes on, and says why."""
    served = Loader(path).get(NAME, default=V[0])
    assert (served.source, served.env) == ("default", None)
    assert "PROMPTOPS_ENV" in served.reason


def test_load_serves_the_default_where_no_registry_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G4: not even a path; and as soon as a file appears, it wins."""
    monkeypatch.chdir(tmp_path)
    assert promptops.load(NAME, env="dev", default=V[0]).source == "default"
    Editor(tmp_path / "promptops.json").save(NAME, V[1])
    Editor(tmp_path / "promptops.json").promote(NAME, 1, "dev", author="a")
    assert promptops.load(NAME, env="dev", default=V[0]).id == V[1].id


# -- changes


def test_a_promotion_or_rollback_is_served_by_the_next_get(path: Path) -> None:
    """Freshness is checked at every get; on_change hears of it once, with both versions."""
    heard: list[tuple[int | None, int | None]] = []
    loader = Loader(path, on_change=lambda old, new: heard.append((old.number, new.number)))
    editor = Editor(path)
    assert loader.get(NAME, "dev").number == 1
    editor.promote(NAME, 2, "dev", author="a")
    assert [loader.get(NAME, "dev").number for _ in range(3)] == [2, 2, 2]
    editor.rollback(NAME, "dev", author="a")
    assert loader.get(NAME, "dev").number == 1
    editor.promote(
        "other", 1, "staging", author="a", force=True, reason="x"
    )  # another prompt's change is not this one's
    assert loader.get(NAME, "dev").number == 1
    assert heard == [(1, 2), (2, 1)]


def test_a_callback_that_raises_is_not_the_request_s_fault(path: Path) -> None:
    """on_change may fail: the get still serves, health says what it raised."""
    loader = Loader(path, on_change=lambda old, new: 1 / 0)
    loader.get(NAME, "dev")
    Editor(path).promote(NAME, 2, "dev", author="a")
    assert loader.get(NAME, "dev").number == 2
    assert "ZeroDivisionError" in loader.health()["on_change"]


def test_many_threads_hear_of_a_change_once(path: Path) -> None:
    """However many threads come at once after a change, on_change is called once for it."""
    heard: list[int | None] = []
    loader = Loader(path, on_change=lambda old, new: heard.append(new.number))
    loader.get(NAME, "dev")
    editor = Editor(path)
    for turn, number in enumerate((2, 3, 1, 2, 3)):
        assert editor.promote(NAME, number, "dev", author="a", override=f"turn {turn}").changed
        threads = [threading.Thread(target=loader.get, args=(NAME, "dev")) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert heard == [2, 3, 1, 2, 3]


def test_a_corrupt_entry_at_a_cold_start_costs_one_look_at_the_copy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The saved copy is looked for once, not at every get that the default serves."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["prompts"][NAME]["versions"][1]["model"] = "edited"
    path.write_text(json.dumps(raw), encoding="utf-8")
    loader = Loader(path)
    looked: list[int] = []
    monkeypatch.setattr(saved_copy, "saved", lambda path, unlike=None: looked.append(1))
    for _ in range(20):
        assert loader.get(NAME, "prod", default=V[0]).source == "default"
    assert len(looked) == 2  # at the cold start, and for this


def test_a_file_rewritten_in_place_within_one_tick_is_still_seen(
    path: Path, tmp_path: Path
) -> None:
    """The same size, inode and times: the second look, shortly after each reading, finds it."""
    loader = Loader(path)
    one = path.read_bytes()
    assert loader.get(NAME, "dev").number == 1
    assert loader.get(NAME, "prod").number == 2  # and goes on being served beside the broken chain
    two = one.replace(b'"author": "ann"', b'"author": "bob"')
    assert len(two) == len(one)
    assert two != one
    path.write_bytes(two)
    first = loader._view  # as if the rewrite had left the signature as it was
    loader._view = first.looked(source.signature(os.stat(path)), first.recheck)
    settled()
    before = loader._view
    assert before.recheck is not None
    loader.get(NAME, "prod")
    assert loader._view.content is not before.content


def test_a_watching_loader_pays_for_changes_between_requests(path: Path) -> None:
    """watch_s: the change is read and built before the next request comes; the thread ends with its
    loader.
    """
    loader = Loader(path, watch_s=0.01)
    assert loader.get(NAME, "dev").number == 1
    Editor(path).promote(NAME, 2, "dev", author="a")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        built = loader._view.built.get("dev", {}).get(NAME)
        if built is not None and built.number == 2:  # type: ignore[union-attr]
            break
        time.sleep(0.01)
    assert built is not None
    assert built.number == 2  # type: ignore[union-attr]
    del loader, built
    until = time.monotonic() + 5
    while (
        any(thread.name == "promptops-watch" for thread in threading.enumerate())
        and time.monotonic() < until
    ):
        time.sleep(0.01)
    assert not any(thread.name == "promptops-watch" for thread in threading.enumerate())


# -- the file goes bad


def bad_files(good: bytes) -> Iterator[tuple[str, Callable[[Path], None]]]:
    def put(data: bytes) -> Callable[[Path], None]:
        return lambda path: path.write_bytes(data) and None

    for cut in range(len(good) - 1):
        yield f"cut at {cut}", put(good[:cut])
    for name, data in (
        ("null", b"null"),
        ("list", b"[]"),
        ("schema", b'{"promptops": 1, "prompts": 7}'),
        ("utf16", good.decode().encode("utf-16")),
    ):
        yield name, put(data)

    def folder(path: Path) -> None:
        path.unlink()
        path.mkdir()

    def huge(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(2**33)  # sparse: takes no space

    def fifo(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    def loop(path: Path) -> None:
        path.unlink()
        path.symlink_to(path.name)

    yield "absent", lambda path: path.unlink()
    yield "a folder", folder
    yield "huge", huge
    yield "a pipe", fifo
    yield "a link to itself", loop


def put_back(path: Path, good: bytes) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif path.is_symlink() or path.exists():
        path.unlink()
    path.write_bytes(good)


def test_a_bad_file_leaves_the_last_known_good_one_serving(path: Path) -> None:
    """G3: cut anywhere, of another kind, huge, absent: 100 % served, health says what and since
    when, and it recovers.
    """
    good = path.read_bytes()
    loader = Loader(path)
    assert loader.get(NAME, "prod").number == 2
    count = 0
    for what, spoil in bad_files(good):
        spoil(path)
        served = loader.get(NAME, "prod")
        assert (served.number, served.source) == (2, "last_known_good"), what
        assert served.reason, what
        health = loader.health()
        assert (health["ok"], health["source"]) == (False, "last_known_good"), what
        assert str(path) in health["fault"], what
        assert loader.get("other", "prod").number == 1, (
            what
        )  # never asked for before the file went bad
        put_back(path, good)
        count += 1
    assert count == len(good) - 1 + 9
    assert loader.get(NAME, "prod").source == "file"
    assert loader.health()["ok"]


def test_flipped_bytes_never_serve_other_content(path: Path) -> None:
    """G3, S20: 1,000 random byte flips: always served, and always one of the contents that were
    saved.
    """
    good = path.read_bytes()
    loader = Loader(path)
    loader.get(NAME, "prod")
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    saved = {version.id for version in V}
    for _ in range(1_000):
        data = bytearray(good)
        for _ in range(dice.choice((1, 1, 3, 20))):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(bytes(data))
        served = loader.get(NAME, "prod")
        assert served.id in saved
        assert served.version.id == served.id
        assert served.messages(ticket="x") == served.version.render({"ticket": "x"})
    path.write_bytes(good)
    assert loader.get(NAME, "prod").source == "file"


def test_age_counts_from_the_moment_that_the_file_was_last_good(path: Path) -> None:
    """age_s grows while the file is bad, across other faults of the file, and is 0 again once it is
    good.
    """
    loader = Loader(path)
    loader.get(NAME, "prod")
    good = path.read_bytes()
    path.write_bytes(b"{")
    first = loader.get(NAME, "prod")
    time.sleep(0.03)
    path.write_bytes(b"{{")
    assert loader.get(NAME, "prod").age_s >= 0.03
    assert first.age_s >= 0.03
    assert loader.health()["age_s"] >= 0.03
    path.write_bytes(good)
    assert loader.get(NAME, "prod").age_s == 0.0


def test_a_bad_file_is_read_once_not_at_every_get(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the file stays as bad as it is, gets cost what they cost before."""
    loader = Loader(path)
    loader.get(NAME, "prod")
    path.write_bytes(b"{")
    loader.get(NAME, "prod")
    settled()
    loader.get(NAME, "prod")
    calls: list[object] = []
    monkeypatch.setattr(source, "contents", calls.append)
    for _ in range(100):
        assert loader.get(NAME, "prod").source == "last_known_good"
    assert calls == []


def test_one_edited_version_is_refused_and_the_others_are_served(path: Path) -> None:
    """G9: a version that is not what its id says is refused at its first get; other prompts and
    environments go on.
    """
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["prompts"][NAME]["versions"][1]["messages"][0]["content"] = ["Be very brief."]
    warm = Loader(path)
    warm.get(NAME, "prod")
    path.write_text(json.dumps(raw), encoding="utf-8")
    cold = Loader(path, saved_copy=False)
    with pytest.raises(RegistryCorrupt, match="v2 was edited"):
        cold.get(NAME, "prod")
    assert cold.get(NAME, "prod", default=V[2]).source == "default"
    assert cold.get(NAME, "dev").number == 1
    assert cold.get("other", "prod").number == 1
    assert "v2 was edited" in cold.health()["refused"][f"{NAME} in prod"]
    served = warm.get(NAME, "prod")
    assert (served.number, served.source, served.id) == (2, "last_known_good", V[1].id)
    assert "edited" in served.reason
    assert warm.get(NAME, "dev").source == "file"


def test_one_malformed_prompt_does_not_take_the_others_down(path: Path) -> None:
    """A wrong shape inside one prompt, or an unknown field on it, is that prompt's fault alone."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    for broken in (
        7,
        {"versions": {}},
        {"versions": [], "x": 1},
        {"versions": [3]},
        {"versions": [], "environments": {"prod": {"deployments": [None]}}},
    ):
        path.write_text(
            json.dumps({**raw, "prompts": {**raw["prompts"], "other": broken}}), encoding="utf-8"
        )
        loader = Loader(path, saved_copy=False)
        assert loader.get(NAME, "prod").number == 2
        with pytest.raises((RegistryCorrupt, NotDeployed)):
            loader.get("other", "prod")


def test_a_forged_deployment_is_refused(path: Path) -> None:
    """S20: a tail that was edited, or taken from another chain, is not served; what served before
    goes on.
    """
    raw = json.loads(path.read_text(encoding="utf-8"))
    loader = Loader(path)
    assert loader.get(NAME, "prod").number == 2
    environments = raw["prompts"][NAME]["environments"]
    environments["prod"]["deployments"].append(environments["dev"]["deployments"][0])
    path.write_text(json.dumps(raw), encoding="utf-8")
    served = loader.get(NAME, "prod")
    assert (served.number, served.source) == (2, "last_known_good")
    with pytest.raises(RegistryCorrupt, match="another chain"):
        Loader(path, saved_copy=False).get(NAME, "prod")


# -- the file is the truth


def git(folder: Path, *words: str) -> None:
    settings = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "commit.gpgsign=false",
    )
    subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True)


def test_git_revert_and_a_branch_switch_are_served_by_the_next_get(
    path: Path, tmp_path: Path
) -> None:
    """G5: the file's content wins, also after a restart; health says which environment went
    back.
    """
    git(tmp_path, "init")
    git(tmp_path, "add", "promptops.json")
    git(tmp_path, "commit", "-m", "one")
    loader = Loader(path)
    Editor(path).promote(NAME, 3, "dev", author="a")
    git(tmp_path, "commit", "-am", "two")
    assert loader.get(NAME, "dev").number == 3
    git(tmp_path, "revert", "--no-edit", "HEAD")
    served = loader.get(NAME, "dev")
    assert (served.number, served.source) == (1, "file")
    health = loader.health()
    assert health["ok"]
    assert "went back from 2 deployments to 1" in health["went_back"][f"{NAME} in dev"]
    copies_written()
    Loader(path).get(NAME, "dev")  # keeps a copy of the reverted file
    copies_written()
    git(tmp_path, "checkout", "-q", "HEAD~1")
    assert loader.get(NAME, "dev").number == 3
    assert loader.health()["went_back"] == {}
    copies_written()
    git(tmp_path, "checkout", "-q", "HEAD~1")
    restarted = Loader(path)
    assert (restarted.get(NAME, "dev").number, restarted.get(NAME, "dev").source) == (1, "file")
    assert "went back from 2" in restarted.health()["went_back"][f"{NAME} in dev"]


def test_an_environment_or_prompt_that_is_gone_goes_on_serving(path: Path) -> None:
    """Never raises after its first success: what is no longer in the file serves as last known
    good, and says so.
    """
    loader = Loader(path)
    loader.get(NAME, "dev")
    raw = json.loads(path.read_text(encoding="utf-8"))
    del raw["prompts"][NAME]["environments"]["dev"]
    path.write_text(json.dumps(raw), encoding="utf-8")
    served = loader.get(NAME, "dev")
    assert (served.number, served.source) == (1, "last_known_good")
    assert "is gone from the file" in loader.health()["went_back"][f"{NAME} in dev"]
    path.write_text('{"promptops": 1, "prompts": {}}', encoding="utf-8")
    assert loader.get(NAME, "dev").source == "last_known_good"
    with pytest.raises(UnknownPrompt):
        Loader(path).get(NAME, "dev")  # after a restart the file is the truth


def test_monotonic_refuses_to_go_back_where_it_was_asked_for(path: Path) -> None:
    """G5: only an application that asked for it keeps the later deployment; a real rollback goes
    forward and is served.
    """
    before = path.read_bytes()
    loader = Loader(path, monotonic=True)
    editor = Editor(path)
    editor.promote(NAME, 2, "dev", author="a")
    assert loader.get(NAME, "dev").number == 2
    path.write_bytes(before)
    served = loader.get(NAME, "dev")
    assert (served.number, served.source) == (2, "last_known_good")
    assert "monotonic" in served.reason
    path.write_bytes(before + b"\n")
    assert loader.get(NAME, "dev").number == 2  # still: another reading does not make it newer
    copies_written()
    path.write_bytes(before)


def test_monotonic_goes_on_once_the_file_is_good_again(path: Path) -> None:
    """G5: back and good again, gone and there again, malformed, forged: what was held back ends
    with its cause, and only then.
    """
    one = path.read_bytes()
    editor = Editor(path)
    editor.promote(NAME, 2, "dev", author="a")
    two = path.read_bytes()
    raw = json.loads(two)
    gone = {**raw, "prompts": {"other": raw["prompts"]["other"]}}
    malformed = {**raw, "prompts": {**raw["prompts"], NAME: 7}}
    environments = raw["prompts"][NAME]["environments"]
    forged = json.loads(two)
    forged["prompts"][NAME]["environments"]["dev"]["deployments"].append(
        environments["prod"]["deployments"][0]
    )
    editor.promote(NAME, 3, "dev", author="a")
    three = path.read_bytes()
    loader = Loader(path, monotonic=True, saved_copy=False)
    path.write_bytes(two)
    assert loader.get(NAME, "dev").source == "file"
    for bad in (one, *(json.dumps(value).encode() for value in (gone, malformed, forged)), b"{"):
        for between in (
            bad,
            one,
            bad,
        ):  # a bad file hides nothing: what is behind it is still held back
            path.write_bytes(between)
            assert (loader.get(NAME, "dev").number, loader.get(NAME, "dev").source) == (
                2,
                "last_known_good",
            )
        path.write_bytes(two)
        assert (loader.get(NAME, "dev").number, loader.get(NAME, "dev").source) == (2, "file")
        health = loader.health()
        assert (health["ok"], health["went_back"], health["refused"]) == (True, {}, {})
    path.write_bytes(three)
    assert (loader.get(NAME, "dev").number, loader.get(NAME, "dev").source) == (3, "file")


def test_a_forged_deployment_is_red_where_going_back_is_refused_too(path: Path) -> None:
    """S20 with monotonic: a damaged end of a chain is a fault of the file, and no later deployment
    to hold on to.
    """
    loader = Loader(path, monotonic=True, saved_copy=False)
    loader.get(NAME, "dev")
    raw = json.loads(path.read_text(encoding="utf-8"))
    environments = raw["prompts"][NAME]["environments"]
    environments["dev"]["deployments"].append(environments["prod"]["deployments"][0])
    path.write_text(json.dumps(raw), encoding="utf-8")
    served = loader.get(NAME, "dev")
    assert (served.number, served.source) == (1, "last_known_good")
    health = loader.health()
    assert not health["ok"]
    assert "another chain" in health["refused"][f"{NAME} in dev"]


def test_what_went_back_behind_a_malformed_prompt_is_said(path: Path) -> None:
    """G5: a reading in which the prompt cannot be read does not make the loader forget how far it
    had come.
    """
    one = path.read_bytes()
    Editor(path).promote(NAME, 2, "dev", author="a")
    loader = Loader(path, saved_copy=False)
    assert loader.get(NAME, "dev").number == 2
    raw = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**raw, "prompts": {**raw["prompts"], NAME: 7}}), encoding="utf-8")
    assert loader.get(NAME, "dev").source == "last_known_good"
    path.write_bytes(one)
    assert (loader.get(NAME, "dev").number, loader.get(NAME, "dev").source) == (1, "file")
    assert "went back from 2 deployments to 1" in loader.health()["went_back"][f"{NAME} in dev"]


def test_monotonic_holds_across_a_restart(path: Path) -> None:
    """G5: the saved copy remembers how far the environment had come."""
    before = path.read_bytes()
    Editor(path).promote(NAME, 2, "dev", author="a")
    assert Loader(path, monotonic=True).get(NAME, "dev").number == 2
    copies_written()
    path.write_bytes(before)
    for _ in range(3):
        served = Loader(path, monotonic=True).get(NAME, "dev")
        assert (served.number, served.source) == (2, "last_known_good")
        copies_written()
    assert Loader(path).get(NAME, "dev").number == 1


# -- the saved copy


def test_a_saved_copy_serves_only_a_cold_start_without_a_valid_file(path: Path) -> None:
    """Decision 6: missing or corrupt: the copy serves, and says how old it is; a valid file always
    wins.
    """
    Loader(path).get(NAME, "prod")
    copies_written()
    good = path.read_bytes()
    for spoil in (lambda: path.write_bytes(good[:-9]), path.unlink):
        spoil()
        served = Loader(path).get(NAME, "prod")
        assert (served.number, served.source) == (2, "last_known_good")
        assert served.age_s >= 0
        assert Loader(path).get("other", "prod").number == 1
        with pytest.raises((RegistryCorrupt, RegistryNotFound)):
            Loader(path, saved_copy=False).get(NAME, "prod")
        path.write_bytes(good)
        assert Loader(path).get(NAME, "prod").source == "file"


def test_a_copy_that_others_could_write_is_not_read(path: Path) -> None:
    """The copy is the user's own, 0600 in a folder of its own; one that anybody may write is
    ignored.
    """
    Loader(path).get(NAME, "prod")
    copies_written()
    (copy,) = Path(os.environ["PROMPTOPS_CACHE"]).iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600
    path.unlink()
    copy.chmod(0o666)
    with pytest.raises(RegistryNotFound):
        Loader(path).get(NAME, "prod")


# -- canary


def test_a_canary_is_sticky_and_has_its_share(path: Path) -> None:
    """The same key always gets the same arm; widening keeps anyone who was in; no key is the stable
    arm; the arm is stamped.
    """
    loader = Loader(path)
    editor = Editor(path)
    editor.promote(NAME, 2, "dev", author="a", percent=10)
    keys = [f"user-{number}" for number in range(10_000)]
    inside = {key for key in keys if loader.get(NAME, "dev", key=key).arm == "canary"}
    assert 900 < len(inside) < 1100
    assert all(loader.get(NAME, "dev", key=key).number == 2 for key in inside)
    assert loader.get(NAME, "dev").arm == "stable"
    assert loader.get(NAME, "dev").number == 1
    again = Loader(path)
    assert {key for key in keys if again.get(NAME, "dev", key=key).arm == "canary"} == inside
    editor.widen(NAME, "dev", 50, author="a")
    wider = {key for key in keys if loader.get(NAME, "dev", key=key).arm == "canary"}
    assert inside < wider
    assert 4700 < len(wider) < 5300
    editor.finish(NAME, "dev", author="a")
    assert loader.get(NAME, "dev", key="user-1").arm is None
    assert loader.get(NAME, "dev").number == 2


def test_a_corrupt_canary_gives_everyone_the_stable_version(path: Path) -> None:
    """A bad candidate costs nobody an answer; health says so."""
    Editor(path).promote(NAME, 2, "dev", author="a", percent=99)
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["prompts"][NAME]["versions"][1]["model"] = "other"
    path.write_text(json.dumps(raw), encoding="utf-8")
    loader = Loader(path, saved_copy=False)
    assert {loader.get(NAME, "dev", key=key).number for key in range(100)} == {1}
    assert "edited" in loader.health()["refused"][f"{NAME} in dev"]


class NoText:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def nested(depth: int) -> list[object]:
    out: list[object] = []
    for _ in range(depth):
        out = [out]
    return out


@pytest.mark.parametrize(
    "key",
    [nested(100_000), 10**5_000, NoText()],
    ids=["nested", "huge", "no text"],
)
def test_a_key_that_has_no_text_gets_what_everybody_gets(path: Path, key: object) -> None:
    """A key of somebody's request must not end the request."""
    Editor(path).promote(NAME, 2, "dev", author="a", percent=99.99)
    served = Loader(path).get(NAME, "dev", key=key)
    assert (served.arm, served.number) == ("stable", 1)


@pytest.mark.parametrize("name", [["a"], {"a": 1}, set()])
def test_a_name_that_no_file_can_hold_is_an_unknown_prompt(path: Path, name: Any) -> None:
    loader = Loader(path)
    kind = type(name).__name__
    with pytest.raises(UnknownPrompt, match=f"no prompt '<{kind}>' in the registry; it holds"):
        loader.get(name, "dev")
    with pytest.raises(NotDeployed, match="is not deployed in"):
        loader.get(NAME, name)
    assert loader.get(name, "dev", default="brought along").source == "default"


def test_a_served_version_keeps_its_key_and_arm_in_another_process(path: Path) -> None:
    """Its call is recorded there, and the canary's figures count by key."""
    Editor(path).promote(NAME, 2, "dev", author="a", percent=50)
    loader = Loader(path)
    for key, kept in (("user-1", "user-1"), (7, 7), (None, None), ((1, 2), "(1, 2)")):
        served = loader.get(NAME, "dev", key=key)
        again = pickle.loads(pickle.dumps(served))
        assert (again.key, again.arm, again.id) == (kept, served.arm, served.id)
    assert pickle.loads(pickle.dumps(loader.get(NAME, "dev", key=NoText()))).key is None


def test_a_loader_goes_to_another_process_by_its_file_and_settings(path: Path) -> None:
    """A pool of processes gets the same versions, refused where the application's needs say so."""
    loader = Loader(path, monotonic=True, saved_copy=False, watch_s=60.0)
    served = loader.get(NAME, "dev")
    loader.require("another", {"x"})
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(loader.get, NAME, "dev").result(60).id == served.id
    again = pickle.loads(pickle.dumps(loader))
    assert again.__reduce__()[1] == (str(path),)
    assert again.__reduce__()[0].keywords == loader.__reduce__()[0].keywords
    assert [need.prompt for need in again.needs] == ["another"]
    assert loader.__reduce__()[0].keywords["monotonic"] is True


# -- use, require


def test_use_serves_the_candidate_inside_the_block(path: Path) -> None:
    """Decision 14: `load` inside serves it, whatever the file says; blocks nest; outside nothing
    changed.
    """
    with promptops.use({NAME: V[2], "not-in-any-file": V[0]}):
        served = promptops.load(NAME, env="dev", registry=path)
        assert (served.source, served.id) == ("use", V[2].id)
        assert promptops.load("not-in-any-file").id == V[0].id
        assert Loader(path).get(NAME, "dev").id == V[2].id
        assert promptops.load(NAME, key="ann").key == "ann"  # as `get` does
        assert Loader(path).get(NAME, key="ann").key == "ann"
        with promptops.use({NAME: Editor(path).versions(NAME)[1]}):  # a saved version will do
            assert promptops.load(NAME).id == V[1].id
            assert promptops.load("not-in-any-file").id == V[0].id
        assert promptops.load(NAME).id == V[2].id
        assert promptops.load("other", env="prod", registry=path).source == "file"
    assert promptops.load(NAME, env="dev", registry=path).source == "file"
    with pytest.raises(promptops.RegistryError, match="pass a PromptVersion"):
        promptops.use({NAME: "a text"})


def test_use_keeps_concurrent_candidates_apart() -> None:
    """Two tasks, and two threads in copies of their contexts, each see their own candidate."""

    async def ask(version: PromptVersion) -> str:
        with promptops.use({NAME: version}):
            await asyncio.sleep(0.01)
            inner = await asyncio.gather(
                *(asyncio.to_thread(lambda: promptops.load(NAME).id) for _ in range(3))
            )
            assert set(inner) == {version.id}
            return promptops.load(NAME).id

    async def main() -> list[str]:
        return await asyncio.gather(*(ask(version) for version in V))

    assert asyncio.run(main()) == [version.id for version in V]
    with promptops.use({NAME: V[0]}):
        context = contextvars.copy_context()
    assert context.run(lambda: promptops.load(NAME).id) == V[0].id


def test_require_keeps_a_version_that_would_break_the_application_from_being_served(
    path: Path,
) -> None:
    """The last version that fits goes on serving, and health says why; at the start the application
    is reported at once.
    """
    loader = Loader(path)
    loader.require(NAME, variables={"ticket"}, env="dev")
    editor = Editor(path)
    asks = editor.save(NAME, PromptVersion("{{ticket}} {{tone}}"))
    editor.promote(NAME, asks, "dev", author="a")
    served = loader.get(NAME, "dev")
    assert (served.number, served.source) == (1, "last_known_good")
    assert "needs {{tone}}, which this application does not supply" in served.reason
    assert f"{NAME} in dev" in loader.health()["refused"]
    with pytest.raises(Refused, match="tone"):
        Loader(path).require(NAME, variables=["ticket"], env="dev")
    editor.rollback(NAME, "dev", author="a")
    assert loader.get(NAME, "dev").source == "file"
    loader.require("not-yet-there", variables={"x": "string"}, env="dev")
    assert [need.prompt for need in loader.needs] == [NAME, "not-yet-there"]


# -- health


def test_health_is_json_and_says_all_is_well(path: Path) -> None:
    """A health endpoint can dump it as it is."""
    loader = Loader(path)
    loader.get(NAME, "dev")
    health: dict[str, Any] = json.loads(json.dumps(loader.health()))
    assert health == {
        "ok": True,
        "path": str(path),
        "source": "file",
        "fault": None,
        "age_s": 0.0,
        "prompts": 2,
        "refused": {},
        "went_back": {},
        "missed": {},
        "on_change": None,
    }
    absent = Loader(path.parent / "absent.json", saved_copy=False).health()
    assert (absent["ok"], absent["source"]) == (False, "none")


@pytest.mark.parametrize(
    ("given", "named"),
    [(b"promptops.json", "bytes"), ([], "list"), ({}, "dict"), (1, "int")]
    + [
        (f"{scheme}://example.com/promptops.json", "promptops sync") for scheme in ("http", "https")
    ],
)
def test_a_registry_that_is_not_a_path_is_one_sentence(given: Any, named: str) -> None:
    """It says that a path is expected; a default is served all the same."""
    with pytest.raises(RegistryNotFound, match=f"{named}.*path|path.*{named}"):
        promptops.load("triage", env="prod", registry=given)
    with pytest.raises(RegistryNotFound, match="path"):
        Loader(given)
    assert promptops.load("triage", env="prod", registry=given, default="hello").source == "default"
