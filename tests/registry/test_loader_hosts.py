"""Law: hostile hosts cost no application a request (G11): read-only root, no HOME, unknown uid,
zip, links, chdir, fork, clocks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import promptops
from promptops import Loader, PromptVersion
from promptops.registry import read_view, saved_copy
from promptops.registry.editor import Editor

NAME = "support-triage"
V = [PromptVersion("One {{ticket}}"), PromptVersion("Two {{ticket}}")]
PACKAGE = Path(promptops.__file__).parent


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("PROMPTOPS_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("PROMPTOPS_REGISTRY", raising=False)
    yield
    for thread in threading.enumerate():
        if thread.name == "promptops-copy":
            thread.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    registry = tmp_path / "promptops.json"
    editor = Editor(registry)
    for version in V:
        editor.save(NAME, version)
    editor.promote(NAME, 1, "dev", author="ann")
    return registry


def run(
    code: str,
    *,
    env: dict[str, str] | None = None,
    paths: tuple[str, ...] = (),
    cwd: Path | None = None,
) -> str:
    """The output of a bare interpreter (no site packages) that runs `code`; raises with its error
    output where it fails.
    """
    where = os.pathsep.join(paths or (str(PACKAGE.parent),))
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", textwrap.dedent(code)],
        env={"PYTHONPATH": where, **(env or {})},
        cwd=cwd or "/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


SERVE = """
import promptops
served = promptops.load("support-triage", env="dev", registry={path!r})
print(served.number, served.source, served.request(ticket="x")["messages"][0]["content"])
"""


def test_only_the_standard_library_is_loaded(path: Path) -> None:
    """Decision 15: importing the door and loading a prompt brings in no third-party module, and
    none of the heavy ones of our own.
    """
    out = run(
        SERVE.format(path=str(path))
        + """
import sys
known = set(sys.stdlib_module_names) | {"__main__", "promptops"}
print(sorted(name for name in sys.modules if name.split(".")[0] not in known))
heavy = ("dataclasses", "pathlib", "typing", "inspect", "asyncio", "email", "urllib.request", "promptops.evidence", "promptops.policy", "promptops.registry.editor")
print(sorted(name for name in heavy if name in sys.modules))
"""
    )
    assert out.splitlines() == ["1 file One x", "[]", "[]"]


def test_importing_does_nothing(tmp_path: Path) -> None:
    """Habit 5: no thread, no file, no environment read for its sake; every public name is there,
    and no other.
    """
    out = run(
        """
        import os, threading
        before = set(os.listdir("."))
        import promptops
        print(threading.active_count(), set(os.listdir(".")) == before, all(hasattr(promptops, name) for name in promptops.__all__))
        modules = type(os)
        visible = {name for name, value in vars(promptops).items() if not name.startswith("_") and (name in promptops.__all__ or not isinstance(value, modules))}
        print(visible == set(promptops.__all__), visible ^ set(promptops.__all__))
        """,
        cwd=tmp_path,
    )
    assert out.splitlines() == ["1 True True", "True set()"]


def test_the_other_door_is_named_in_one_sentence() -> None:
    """Decision 15: promptops.Lab says where it lives and which command installs what it needs;
    unknown names say so.
    """
    with pytest.raises(
        AttributeError,
        match=r"from promptops.lab import Lab.*pip install 'promptops-toolkit\[lab\]'",
    ):
        _ = promptops.Lab  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = promptops.nothing  # type: ignore[attr-defined]


def test_no_home_and_an_unknown_uid(path: Path) -> None:
    """Without HOME, as a uid that no database knows: served, and no copy is kept anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        registry = Path(folder) / "promptops.json"
        registry.write_bytes(path.read_bytes())
        registry.chmod(0o644)
        leave = (
            "import os, contextlib, difflib, encodings.utf_16_be, hashlib, json, tempfile,"
            " threading, promptops.version\nif os.geteuid() == 0: os.setuid(54321)\n"
        )
        assert run(leave + SERVE.format(path=str(registry))).splitlines() == ["1 file One x"]
        assert os.listdir(folder) == ["promptops.json"]


def test_nowhere_to_write(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache folder that is a file, or below one (what a read-only root looks like to root):
    silently no copy.
    """
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "deep"):
        monkeypatch.setenv("PROMPTOPS_CACHE", str(place))
        assert Loader(path).get(NAME, "dev").source == "file"
    monkeypatch.delenv("PROMPTOPS_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for home in ("", "relative/home"):
        monkeypatch.setenv("HOME", home)
        assert saved_copy.folder() is None
        assert Loader(path).get(NAME, "dev").source == "file"
    monkeypatch.delenv("HOME")
    assert saved_copy.folder() is None


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="mounting a read-only root needs root and unshare",
)
def test_a_read_only_root(path: Path) -> None:
    """In a mount namespace of its own whose root is read-only: served, with a HOME that cannot be
    written.
    """
    mounts = "mount --make-rprivate / && mount -o remount,bind,ro / && ! touch /written 2>/dev/null"
    if (
        subprocess.run(
            ["unshare", "-m", "sh", "-c", mounts], capture_output=True, check=False
        ).returncode
        != 0
    ):
        pytest.skip("this machine does not let a namespace be mounted read-only")
    done = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            f'{mounts} && exec "$0" -S -B -c "$1"',
            sys.executable,
            SERVE.format(path=str(path)),
        ],
        env={"PYTHONPATH": str(PACKAGE.parent), "PATH": os.environ["PATH"], "HOME": "/"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1 file One x\n", "")


def test_import_from_a_zip(path: Path, tmp_path: Path) -> None:
    """The package inside a zip file: imported and served."""
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for source in PACKAGE.rglob("*.py"):
            if source.parent in (PACKAGE, PACKAGE / "registry", PACKAGE / "version"):
                file.write(source, Path("promptops") / source.relative_to(PACKAGE))
    code = SERVE.format(path=str(path)) + "print(promptops.__file__)"
    out = run(code, paths=(str(archive),)).splitlines()
    assert out[0] == "1 file One x"
    assert "app.zip" in out[1]


def test_a_symlink_swap_is_a_release(path: Path, tmp_path: Path) -> None:
    """`current -> release-2` swapped atomically (also as Kubernetes swaps ..data): the next get
    serves it; a dangling link does not.
    """
    for number in (1, 2):
        release = tmp_path / f"release-{number}"
        release.mkdir()
        editor = Editor(release / "promptops.json")
        editor.save(NAME, V[number - 1])
        editor.promote(NAME, 1, "dev", author="a")
    current = tmp_path / "current"
    current.symlink_to("release-1")
    loader = Loader(current / "promptops.json")
    assert loader.get(NAME, "dev").id == V[0].id
    swap = tmp_path / "swap"
    for target, expected, source in (
        ("release-2", V[1], "file"),
        ("nowhere", V[1], "last_known_good"),
        ("release-1", V[0], "file"),
    ):
        swap.symlink_to(target)
        os.replace(swap, current)
        served = loader.get(NAME, "dev")
        assert (served.id, served.source) == (expected.id, source)


def test_another_working_directory(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """chdir after the first success, even into a folder that is gone or holds another registry: the
    same file goes on serving.
    """
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Editor(elsewhere / "promptops.json").save(NAME, V[1])
    Editor(elsewhere / "promptops.json").promote(NAME, 1, "dev", author="a")
    code = """
    import os, sys, promptops
    for place in sys.argv[1:] or {places!r}:
        os.chdir(place)
        print(promptops.load("support-triage", env="dev").id)
    os.mkdir("gone"); os.chdir("gone"); os.rmdir(os.getcwd())
    print(promptops.load("support-triage", env="dev").id)
    """.format(places=[str(tmp_path), str(elsewhere), "/", str(tmp_path)])
    assert run(code).split() == [V[0].id] * 5
    monkeypatch.chdir(tmp_path)
    relative = Loader("promptops.json")
    monkeypatch.chdir("/")
    assert relative.get(NAME, "dev").number == 1


def test_forks_in_the_middle_of_everything(path: Path) -> None:
    """Children forked while threads read and the file changes: each serves on, none hangs on a lock
    that nobody holds.
    """
    code = f"""
    import os, threading, sys, time, warnings
    warnings.simplefilter("ignore")
    from promptops import Loader
    from promptops.registry.editor import Editor
    path = {str(path)!r}
    loader, editor = Loader(path, watch_s=0.01), Editor(path)
    loader.get("support-triage", "dev")
    ended = threading.Event()
    def read():
        while not ended.is_set():
            loader.get("support-triage", "dev")
            loader.health()
    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads: thread.start()
    children = []
    for number in range(20):
        assert editor.promote("support-triage", 1 + (number + 1) % 2, "dev", author="a", override="turn " + str(number)).changed
        child = os.fork()
        if child == 0:
            deadline = time.monotonic() + 20
            Editor(path).save("from-" + str(number), Editor(path).versions("support-triage")[0].version)
            for _ in range(50):
                served = loader.get("support-triage", "dev")
            os._exit(0 if served.source == "file" and time.monotonic() < deadline else 1)
        children.append(child)
    ended.set()
    for thread in threads: thread.join()
    print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
    """
    assert run(code).strip() == str([0] * 20)


def test_clock_jumps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock and the file's times jump by years, both ways: what serves is the chain's end,
    age is never negative.
    """
    loader = Loader(path)
    editor = Editor(path)
    assert loader.get(NAME, "dev").number == 1
    for number, moment in ((2, 4_000_000_000), (1, 1), (2, 1_000_000_000)):
        monkeypatch.setattr(time, "time", lambda moment=moment: float(moment))
        assert editor.promote(NAME, number, "dev", author="a", override=f"at {moment}").changed
        os.utime(path, (moment, moment))
        assert loader.get(NAME, "dev").number == number
    for thread in threading.enumerate():
        if thread.name == "promptops-copy":
            thread.join()
    path.unlink()
    assert Loader(path).get(NAME, "dev").age_s >= 0


def test_a_file_system_whose_clock_ticks_in_seconds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the same size that is rewritten in place within one tick has the same signature."""
    assert read_view.COARSE_S > 2
    monkeypatch.setattr(read_view, "COARSE_S", 0.4)

    def coarse(look: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def looked(*args: object, **kwargs: object) -> os.stat_result:
            found, second = look(*args, **kwargs), 1_700_000_000
            ticks = {"st_mtime_ns": second * 10**9, "st_ctime_ns": second * 10**9}
            return os.stat_result((*found[:7], second, second, second), ticks)

        return looked

    monkeypatch.setattr(os, "stat", coarse(os.stat))
    monkeypatch.setattr(os, "fstat", coarse(os.fstat))
    before, other = path.read_bytes(), path.with_name("other.json")
    editor = Editor(other)
    for version in reversed(V):
        editor.save(NAME, version)
    editor.promote(NAME, 1, "dev", author="ann")
    after = other.read_bytes()
    assert len(after) == len(before)
    loader = Loader(path)
    assert loader.get(NAME, "dev").id == V[0].id
    time.sleep(read_view.SETTLE_S + 0.02)
    assert loader.get(NAME, "dev").id == V[0].id
    with path.open("r+b") as file:
        file.write(after)
    time.sleep(0.5)
    assert loader.get(NAME, "dev").id == V[1].id


def test_readers_keep_files_open(path: Path) -> None:
    """Open handles on the old file forbid nothing: the replacement lands and is served."""
    loader = Loader(path)
    handles = [path.open("rb") for _ in range(50)]
    try:
        Editor(path).promote(NAME, 2, "dev", author="a")
        assert loader.get(NAME, "dev").number == 2
    finally:
        for handle in handles:
            handle.close()


def test_threads_share_one_loader(path: Path) -> None:
    """Eight threads make their first get at once while the file changes: every answer is a whole
    version.
    """
    editor = Editor(path)
    for turn, number in enumerate((2, 1, 2, 1, 2)):
        loader = Loader(path)
        wrong: list[object] = []
        gate = threading.Barrier(8)

        def ask(
            loader: Loader = loader, wrong: list[object] = wrong, gate: threading.Barrier = gate
        ) -> None:
            gate.wait()
            for _ in range(50):
                try:
                    served = loader.get(NAME, "dev")
                    if served.number not in (1, 2) or served.source != "file":
                        wrong.append(served)
                except BaseException as error:
                    wrong.append(error)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert editor.promote(NAME, number, "dev", author="a", override=f"turn {turn}").changed
        for thread in threads:
            thread.join()
        assert wrong == []


def test_no_threads_to_be_had(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, there is no copy and no watching, and every get still serves
    what the file says.
    """

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    loader = Loader(path, watch_s=0.01)
    assert loader.get(NAME, "dev").number == 1
    Editor(path).promote(NAME, 2, "dev", author="a")
    assert loader.get(NAME, "dev").number == 2
