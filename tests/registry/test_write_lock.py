"""Law: no reader ever sees a partial file (G1), no promotion is lost (G2), and a crash at any step
leaves old or new (G10).
"""

from __future__ import annotations

import errno
import itertools
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops import Conflict, Loader, PromptVersion, RegistryCorrupt
from promptops.errors import RegistryError
from promptops.policy import Policy
from promptops.registry import document, write_lock
from promptops.registry.editor import Editor

NAME = "support-triage"
V = [
    PromptVersion(f"Version {number}\n" + "a line\n" * 200 + "{{ticket}}") for number in range(1, 4)
]
FORK = multiprocessing.get_context("fork")


def start(path: Path) -> Editor:
    editor = Editor(path)
    for version in V:
        editor.save(NAME, version)
    editor.promote(NAME, 1, "dev", author="ann")
    return editor


# -- G1


def naive(path: str, data: bytes) -> bool:
    """What everybody writes first: open, truncate, write."""
    with open(path, "wb") as file:
        for offset in range(0, len(data), 4096):
            file.write(data[offset : offset + 4096])
            file.flush()
    return True


def torn_reads(path: Path, write: Callable[[str, bytes], bool], reads: int) -> int:
    """How many of `reads` raw reads saw no whole document while another process rewrites the file
    without pause.
    """
    bodies = [
        document.render(
            {"promptops": 1, "prompts": {}, "policy": {"must_pass": ["x" * size]}}
        ).encode()
        for size in (60_000, 30_000)
    ]
    write(str(path), bodies[0])

    def rewrite() -> None:
        while True:
            for body in bodies:
                write(str(path), body)

    writer = FORK.Process(target=rewrite, daemon=True)
    writer.start()
    torn, begun = 0, time.monotonic()
    try:
        while path.read_bytes() == bodies[0]:  # on a busy machine it begins late
            assert time.monotonic() - begun < 60, "the writer never began"
        for _ in range(reads):
            data = path.read_bytes()
            torn += data not in bodies
    finally:
        writer.kill()
        writer.join()
    return torn


def test_no_reader_sees_a_partial_file(tmp_path: Path) -> None:
    """G1: 10,000 reads against a writer that never rests: 0 torn; the naive rewrite shows that the
    test would see it.
    """
    torn, until = 0, time.monotonic() + 60
    while torn <= 20 and time.monotonic() < until:  # a busy machine may not let the writer run
        torn += torn_reads(tmp_path / "naive.json", naive, 2_000)
    assert torn > 20
    assert torn_reads(tmp_path / "ours.json", write_lock.replace, 10_000) == 0


@pytest.mark.soak
def test_no_reader_sees_a_partial_file_in_a_million_reads(tmp_path: Path) -> None:
    """G1, night: 1e6 reads, 0 torn."""
    assert torn_reads(tmp_path / "ours.json", write_lock.replace, 1_000_000) == 0


# -- G2


def promote_many(path: str, worker: int, rounds: int, one: bool, results: Any) -> None:
    editor = Editor(path)
    said: Counter[str] = Counter()
    for number in range(rounds):
        name, env = (NAME, "dev") if one else (f"prompt-{worker}", f"env-{number}")
        try:
            # A word of its own each time: going back without one would change nothing.
            word = f"{worker} {number}"
            done = editor.promote(
                name, 1 + (worker + number) % 2, env, author=f"w{worker}", override=word
            )
            said["landed" if done.changed else "same"] += 1
        except Conflict as error:
            said["conflict" if "made it serve" in str(error) else str(error)] += 1
        except Exception as error:
            said[repr(error)] += 1
    results.put(said)


def crowd(path: Path, workers: int, rounds: int, one: bool) -> Counter[str]:
    results = FORK.Queue()
    crew = [
        FORK.Process(target=promote_many, args=(str(path), worker, rounds, one, results))
        for worker in range(workers)
    ]
    for process in crew:
        process.start()
    total: Counter[str] = Counter()
    for _ in crew:
        total += results.get(timeout=60)
    for process in crew:
        process.join()
    return total


def test_promotions_of_many_prompts_all_land(tmp_path: Path) -> None:
    """G2: 50 promoters x 10 on 50 prompts: 500 of 500."""
    path = tmp_path / "r.json"
    editor = Editor(path)
    prompts = {
        f"prompt-{n}": {
            "versions": [document_entry(version, i + 1) for i, version in enumerate(SMALL)]
        }
        for n in range(50)
    }
    path.write_text(
        document.render({"promptops": 1, "policy": OPEN.document(), "prompts": prompts}),
        encoding="utf-8",
    )
    assert crowd(path, 50, 10, one=False) == Counter(landed=500)
    kept = sum(len(editor.history(f"prompt-{n}", f"env-{k}")) for n in range(50) for k in range(10))
    assert kept == 500
    assert list(document.check(document.parse(path.read_bytes(), "r"))) == []


def test_promotions_of_one_environment_land_or_conflict(tmp_path: Path) -> None:
    """G2: 50 x 10 on one environment: each landed, found its version serving, or raised Conflict;
    the chain holds just the landed.
    """
    path = tmp_path / "r.json"
    editor = Editor(path)
    for version in SMALL:
        editor.save(NAME, version)
    total = crowd(path, 50, 10, one=True)
    print(total)
    assert total.total() == 500
    assert total["landed"] == len(editor.history(NAME, "dev"))
    assert total["conflict"] > 0
    links = editor.history(NAME, "dev")
    assert all(a.number != b.number for a, b in itertools.pairwise(links))


def test_without_the_lock_promotions_would_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above would see it: with the lock taken away, all but one of those who read the
    same file overwrite each other, each in the belief that it landed.
    """
    import contextlib

    from promptops.registry import file

    workers, rounds = 8, 10
    replace, all_have_read = file.replace, FORK.Barrier(workers, timeout=30)

    def after_all_have_read(path: str, data: bytes) -> bool:
        all_have_read.wait()
        return replace(path, data)

    path = tmp_path / "r.json"
    editor = Editor(path)
    editor.set_policy(OPEN)
    for n in range(workers):
        for version in SMALL:
            editor.save(f"prompt-{n}", version)
    monkeypatch.setattr(file, "locked", lambda path: contextlib.nullcontext())
    monkeypatch.setattr(file, "replace", after_all_have_read)
    landed = crowd(path, workers, rounds, one=False)["landed"]
    kept = sum(
        len(editor.history(f"prompt-{n}", f"env-{k}"))
        for n in range(workers)
        for k in range(rounds)
    )
    assert landed == workers * rounds
    assert 0 < kept <= rounds  # each round leaves what its last writer read, and its own promotion


OPEN = Policy(ungated_environments=tuple(f"env-{number}" for number in range(10)))
SMALL = [PromptVersion("one {{x}}"), PromptVersion("two {{x}}")]


def document_entry(version: PromptVersion, number: int) -> dict[str, Any]:
    from promptops.registry.entry import to_entry

    return to_entry(version, number)


# -- G10

CALLS = (
    "open",
    "write",
    "fsync",
    "fchmod",
    "close",
    "replace",
    "unlink",
    "truncate",
    "pread",
    "stat",
    "fstat",
    "listdir",
)


class Faults:
    """Every system call of the writer counted; the k-th fails or kills the process."""

    def __init__(self, k: int, fail: Callable[[], None]) -> None:
        self.count, self.k, self.fail, self.armed = 0, k, fail, True

    def wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.armed:
                self.count += 1
                if self.count == self.k:
                    self.fail()
            return real(*args, **kwargs)

        return call


def child(path: str, k: int, how: str, breaker: str) -> None:
    """One promotion in which the k-th system call fails ("eio"), kills before it ("kill"); exits 77
    when k was never reached.
    """
    import fcntl

    def kill() -> None:
        os._exit(9)

    def eio() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def enospc() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    faults = Faults(k, {"kill": kill, "eio": eio, "enospc": enospc}[how])
    if breaker:
        from promptops.registry import file

        file.replace = naive_by_os  # type: ignore[assignment]
    editor = Editor(path)
    editor.history(NAME, "dev")
    for name in CALLS:
        setattr(os, name, faults.wrap(getattr(os, name)))
    fcntl.flock = faults.wrap(fcntl.flock)  # type: ignore[assignment]
    code = 0
    try:
        editor.promote(NAME, 2, "dev", author="bob")
    except BaseException:
        code = 1
    faults.armed = False
    os._exit(77 if faults.count < k else code)


def naive_by_os(path: str, data: bytes) -> bool:
    handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
    for offset in range(0, len(data), 1024):
        os.write(handle, data[offset : offset + 1024])
    os.close(handle)
    return True


def crash_everywhere(tmp_path: Path, how: str, breaker: str = "") -> tuple[int, int]:
    """(system calls tried, crashes after which the file was neither the old nor the new one, or the
    lock was held).
    """
    path = tmp_path / "r.json"
    start(path)
    old = path.read_bytes()
    bad = 0
    for k in range(1, 200):
        path.write_bytes(old)
        process = FORK.Process(target=child, args=(str(path), k, how, breaker))
        process.start()
        process.join(30)
        if process.exitcode == 77:
            return k - 1, bad
        assert process.exitcode in (0, 1, 9), process.exitcode
        now = path.read_bytes()
        if now != old:
            try:
                links = json.loads(now)["prompts"][NAME]["environments"]["dev"]["deployments"]
                whole = [link["version"] for link in links] == [V[0].id, V[1].id]
            except ValueError:
                whole = False
            bad += not whole
        with write_lock.locked(str(path), wait_s=1.0):  # Conflict here: the lock was left held
            pass
        left = sorted(name for name in os.listdir(tmp_path) if name != "r.json")
        assert left == [], left  # whatever a dead writer left is swept by the next one
    raise AssertionError("200 system calls and no end")


@pytest.mark.parametrize("how", ["kill", "eio", "enospc"])
def test_a_crash_at_any_system_call_leaves_old_or_new(tmp_path: Path, how: str) -> None:
    """G10: fail or die at the k-th system call of a promotion, k = 1, 2, ...: old file or new file,
    lock released.
    """
    tried, bad = crash_everywhere(tmp_path, how)
    print(f"{how}: {tried} system calls")
    assert tried >= 12
    assert bad == 0


def test_the_crash_test_sees_a_broken_writer(tmp_path: Path) -> None:
    """The same loop over a writer that truncates in place finds it torn: the test can fail."""
    tried, bad = crash_everywhere(tmp_path, "kill", breaker="in place")
    assert bad >= 3, (tried, bad)


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace injects the faults below Python")
def test_a_kill_at_any_real_system_call_leaves_old_or_new(tmp_path: Path) -> None:
    """G10, below Python: SIGKILL at the k-th call of each kind that the kernel saw, as strace
    injects it.
    """
    path = tmp_path / "r.json"
    start(path)
    old = path.read_bytes()
    code = (
        f"from promptops.registry.editor import Editor; Editor({str(path)!r}).promote({NAME!r}, 2,"
        " 'dev', author='bob')"
    )
    kinds = (
        "openat",
        "write",
        "fsync",
        "rename",
        "flock",
        "unlink",
        "close",
        "ftruncate",
        "fchmod",
    )
    tried = 0
    for kind in kinds:
        for k in range(1, 400):
            path.write_bytes(old)
            only = (
                []
                if kind in ("write", "fsync", "rename", "flock", "unlink", "ftruncate", "fchmod")
                else ["-P", str(tmp_path), "-P", str(path)]
            )
            command = [
                "strace",
                "-f",
                "-qq",
                "-o",
                os.devnull,
                *only,
                "-e",
                f"inject={kind}:signal=KILL:when={k}",
                sys.executable,
                "-c",
                code,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if "ptrace" in done.stderr or "PTRACE" in done.stderr:
                pytest.skip("this machine does not let a process be traced")
            links = json.loads(path.read_bytes())["prompts"][NAME]["environments"]["dev"][
                "deployments"
            ]
            assert [link["version"] for link in links] in ([V[0].id], [V[0].id, V[1].id]), (kind, k)
            with write_lock.locked(str(path), wait_s=1.0):
                pass
            tried += 1
            if done.returncode == 0:
                break
    print(f"{tried} kills by strace")
    assert tried > len(kinds)


# -- the lock and the rename


def test_the_lock_is_one_writer_s(tmp_path: Path) -> None:
    """A second writer waits, then gets Conflict that names the first; threads of one process
    exclude each other too.
    """
    path = str(tmp_path / "r.json")
    with (
        write_lock.locked(path),
        pytest.raises(Conflict, match=str(os.getpid())),
        write_lock.locked(path, wait_s=0.05),
    ):
        pass
    held: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with write_lock.locked(path):
                held.append(1)
                most.append(len(held))
                time.sleep(0.0005)
                held.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert os.listdir(tmp_path) == []


def test_a_rename_that_is_forbidden_for_a_moment_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G11: where an open reader forbids the rename for a moment, it is tried again; where it stays
    forbidden, the old file stays.
    """
    path = tmp_path / "r.json"
    path.write_bytes(b"old")
    real, refusals = os.replace, [PermissionError(), PermissionError()]

    def sometimes(source: str, target: str) -> None:
        if refusals:
            raise refusals.pop()
        real(source, target)

    monkeypatch.setattr(os, "replace", sometimes)
    with path.open("rb") as reader:
        write_lock.replace(str(path), b"new")
        assert reader.read() == b"old"  # anyone who had it open keeps the whole old file
    assert path.read_bytes() == b"new"

    def never(source: str, target: str) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "replace", never)
    with pytest.raises(PermissionError):
        write_lock.replace(str(path), b"newer")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["r.json"]


def test_readers_go_on_while_writers_write(tmp_path: Path) -> None:
    """A loader in four threads beside a promoting process: every get is a version, none is an
    exception, none goes back.
    """
    path = tmp_path / "r.json"
    editor = start(path)
    loader = Loader(path, saved_copy=False)
    assert loader.get(NAME, "dev").number == 1
    wrong: list[object] = []
    gets = [0]
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                served = loader.get(NAME, "dev")
                gets[0] += 1
                if served.source != "file" or served.number not in (1, 2, 3):
                    wrong.append(served)
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn, number in enumerate((2, 3, 1) * 10):
            # Going back to what served before takes a word of its own each time.
            done = editor.promote(NAME, number, "dev", author="ann", override=f"turn {turn}")
            assert done.changed
            assert loader.get(NAME, "dev").number == number  # the next get serves it
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert gets[0] > 100


def test_corruption_is_not_mistaken_for_absence(tmp_path: Path) -> None:
    """A folder or an unreadable thing in the file's place is reported, never taken for an empty
    registry.
    """
    path = tmp_path / "r.json"
    path.mkdir()
    with pytest.raises(RegistryCorrupt, match="is not a file"):
        Editor(path).save(NAME, V[0])


def test_a_loop_of_links_in_the_files_place_is_a_sentence(tmp_path: Path) -> None:
    """A link that leads to itself is named, and left as it is."""
    path = tmp_path / "r.json"
    path.symlink_to("r.json")
    with pytest.raises(RegistryCorrupt, match="cannot be read"):
        Editor(path).save(NAME, V[0])
    assert path.is_symlink()


@pytest.mark.parametrize("kind", ["file", "nothing", "folder", "loop"])
def test_a_link_in_the_lock_s_place_is_not_written_through(tmp_path: Path, kind: str) -> None:
    """It came with a checkout and leads to a file of the user's own, which would hold a number of a
    process afterwards; the emergency door opens all the same.
    """
    path, precious = tmp_path / "project" / "promptops.json", tmp_path / "precious"
    path.parent.mkdir()
    lock = path.with_name(".promptops.json.lock")
    if kind == "file":
        precious.write_text("words\n", encoding="utf-8")
    elif kind == "folder":
        precious.mkdir()
    lock.symlink_to(lock if kind == "loop" else precious)
    assert Editor(path).save("p", SMALL[0]) == 1
    assert not os.path.lexists(lock)
    assert precious.exists() == (kind in ("file", "folder"))
    if kind == "file":
        assert precious.read_text(encoding="utf-8") == "words\n"


def test_one_writer_at_a_time_by_the_locks_of_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G11: `msvcrt` in the place of `fcntl`. The lock's file stays, since an open file cannot be
    removed there, and serves the next writer.
    """
    import fcntl

    def locking(handle: int, _mode: int, _size: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    path = str(tmp_path / "r.json")
    with monkeypatch.context() as windows:
        windows.setattr(write_lock.sys, "platform", "win32")
        for _ in range(2):
            with write_lock.locked(path):
                with pytest.raises(Conflict), write_lock.locked(path, wait_s=0):
                    pass
                assert write_lock.replace(path, os.urandom(8))
        left = sorted(os.listdir(tmp_path))
    assert left == [".r.json.lock", "r.json"]


def test_a_folder_in_the_place_of_the_lock_is_named(tmp_path: Path) -> None:
    editor = start(tmp_path / "promptops.json")
    (tmp_path / ".promptops.json.lock").mkdir()
    with pytest.raises(RegistryError, match=r"\.promptops\.json\.lock is a folder where"):
        editor.promote(NAME, 1, "prod", author="ann", force=True, reason="r")
    (tmp_path / ".promptops.json.lock").rmdir()
    editor.promote(NAME, 1, "prod", author="ann", force=True, reason="r")
