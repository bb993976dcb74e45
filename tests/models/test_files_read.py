"""An edit of what only a call tells counts in the same kernel: files by paths that are put
together, and modules that are taken as a whole.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.models.protocol import Call
from promptops.models.scripted import ScriptedModel
from promptops.study.resolve_model import as_target

READERS = {
    "a helper that is given the path": (
        "def load(path):\n    with open(path) as file:\n        return file.read()",
        "def answer(q):\n    return load('prompts/kind.txt')",
    ),
    "a folder and a name": (
        "from pathlib import Path\nfolder, name = Path('prompts'), 'kind.txt'\n"
        "def load(which):\n    return (folder / f'{which}.txt').read_text()",
        "def answer(q):\n    return load('kind')",
    ),
    "a library that is given the path": (
        "import pandas\nname = 'kind'",
        "def answer(q):\n"
        "    return pandas.read_csv(f'prompts/{name}.txt', header=None, dtype=str)[0][0]",
    ),
    "an attribute": (
        "from pathlib import Path\nclass Loader:\n    def __init__(self):\n"
        "        self.path = Path('prompts/kind.txt')\n"
        "    def text(self):\n        return self.path.read_text()\nloader = Loader()",
        "def answer(q):\n    return loader.text()",
    ),
    "read in a thread of an async target": (
        "import asyncio\nconfig = {'prompt': 'prompts/kind.txt'}",
        "async def answer(q):\n"
        "    return await asyncio.to_thread(lambda: open(config['prompt']).read())",
    ),
}
OWN = {
    "a cache": (
        "from pathlib import Path\ndef cached(key):\n    path = Path('cache') / f'{key}.txt'\n"
        "    path.parent.mkdir(exist_ok=True)\n"
        "    text = path.read_text() if path.exists() else ''\n"
        "    path.write_text(text + '.')",
        "def answer(q):\n    cached(q)\n    return 'kind'",
    ),
    "a state that is replaced": (
        "import os\ndef bump(path):\n    text = open(path).read() if os.path.exists(path) else ''\n"
        "    with open(path + '.new', 'w') as file:\n        file.write(text + '.')\n"
        "    os.replace(path + '.new', path)",
        "def answer(q):\n    bump('state.txt')\n    return 'kind'",
    ),
    "what another program made": (
        "import subprocess\ndef made(path):\n"
        "    subprocess.run(['sh', '-c', f'sleep 0.05; date +%N > {path}'])\n"
        "    return open(path).read()",
        "def answer(q):\n    made('out.txt')\n    return 'kind'",
    ),
}


def kernel(*cells: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    for each in cells:
        exec(each, space)
    return space


def asked(space: dict[str, Any]) -> tuple[str, str]:
    """What the target answers, and whose answer it is."""
    target = as_target(space["answer"])
    call = Call(request={}, values={"q": "q"}, timeout_s=9.0)

    async def ask() -> str:
        return [(await target.complete(call)).text or "" for _ in range(4)][-1]

    return asyncio.run(ask()), target.label


@pytest.fixture
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    path = tmp_path / "prompts/kind.txt"
    path.write_text("kind")
    return path


@pytest.mark.parametrize("kind", READERS)
def test_an_edit_of_a_file_whose_path_only_the_run_tells_counts(kind: str, prompts: Path) -> None:
    """The answers of the file before had been reused until the kernel was restarted."""
    space = kernel(*READERS[kind])
    first = asked(space)
    assert first[0] == "kind"
    assert asked(space) == first
    prompts.write_text("rude")
    second = asked(space)
    assert second[0] == "rude"
    assert second[1] != first[1]
    os.utime(prompts, (5, 5))
    exec(READERS[kind][1], space)  # its cell is run again
    assert asked(space) == second
    prompts.write_text("kind")
    assert asked(space) == first


@pytest.mark.parametrize("kind", OWN)
def test_a_file_that_a_call_writes_is_its_own(kind: str, prompts: Path) -> None:
    space = kernel(*OWN[kind])
    assert len({asked(space) for _ in range(4)}) == 1


TAKEN = {
    "by a name": "def answer(q):\n    return getattr(styles, 'KIND')()",
    "by another name": "def answer(q):\n    held = styles\n    return held.KIND()",
    "as an argument": "def use(module):\n    return module.KIND()\n\n"
    "def answer(q):\n    return use(styles)",
    "of a table": "table = {'v1': styles}\ndef answer(q):\n    return table['v1'].KIND()",
}


@pytest.mark.parametrize("kind", TAKEN)
def test_an_edit_of_a_module_that_is_taken_as_a_whole_counts(kind: str, prompts: Path) -> None:
    """`getattr(prompts, name)` had kept the answers until the kernel was restarted."""
    path = prompts.parent.parent / "a_styles_module.py"
    code = (
        "calls = 0\nTONE = 'kind'\ndef KIND():\n    global calls\n    calls += 1\n    return TONE\n"
    )
    path.write_text(code)
    sys.path.insert(0, str(path.parent))
    importlib.invalidate_caches()
    try:
        space = kernel("import a_styles_module as styles", TAKEN[kind])
        first = asked(space)
        assert asked(space) == first
        space["styles"].TONE = "rude"
        second = asked(space)
        assert second[0] == "rude"
        assert second[1] != first[1]
        path.write_text(code.replace("return TONE", "return TONE + '!'  # longer"))
        importlib.reload(space["styles"])
        third = asked(space)
        assert third[0] == "kind!"
        assert third[1] not in (first[1], second[1])
    finally:
        sys.path.remove(str(path.parent))
        sys.modules.pop("a_styles_module", None)


CHANGED = {
    "a counter": "styles.calls += 1",
    "a list": "styles.LOG.append(q)",
    "an attribute": "styles.last = object()",
    "a module that is imported late": "import a_styles_package.late",
}


@pytest.mark.parametrize("kind", CHANGED)
def test_what_a_call_changes_in_such_a_module_is_its_own(kind: str, prompts: Path) -> None:
    folder = prompts.parent.parent
    (folder / "a_styles_package").mkdir()
    (folder / "a_styles_package/__init__.py").write_text(
        "calls, LOG = 0, []\ndef KIND():\n    return 'kind'\n"
    )
    (folder / "a_styles_package/late.py").write_text("")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        space = kernel(
            "import a_styles_package as styles",
            f"def answer(q):\n    {CHANGED[kind]}\n    return getattr(styles, 'KIND')()",
        )
        assert len({asked(space) for _ in range(4)}) == 1
    finally:
        sys.path.remove(str(folder))
        for name in [each for each in sys.modules if each.startswith("a_styles_package")]:
            del sys.modules[name]


def test_what_a_library_reads_elsewhere_is_its_own(
    prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Credentials and caches, which change by themselves."""
    cache = tmp_path_factory.mktemp("home") / "token.csv"
    cache.write_text("a\n1\n")
    space = kernel(
        "import pandas\ndef token(path):\n    return pandas.read_csv(path)",
        "def answer(q):\n    token(cache)\n"
        "    return open(f'prompts/{cache and \"kind\"}.txt').read()",
    )
    space["cache"] = str(cache)
    first = asked(space)
    cache.write_text("a\n2\n")
    assert asked(space) == first


def test_the_registry_that_load_reads_is_not_a_file_of_the_target(
    make_lab: Callable[..., Any], prompts: Path
) -> None:
    """A promotion of one prompt had the targets asked again that load another."""
    lab = make_lab(models={"m": ScriptedModel({"q": "yes"})})
    one, other = (lab.prompt(name).save("A", model="m") for name in ("one", "other"))
    lab.promote(other, env="prod", force=True, reason="the first")
    space = kernel(
        "import promptops, threading\nlock = threading.Lock()",
        "def answer(q):\n    with lock:\n"
        "        return promptops.load('other', env='prod', registry=registry).id",
    )
    space["registry"] = str(lab.project.root / "promptops.json")
    first = asked(space)
    lab.promote(one, env="prod", force=True, reason="the second")
    assert asked(space) == first


def test_a_file_that_a_helper_has_kept_counts_when_it_is_read_again(prompts: Path) -> None:
    """The edited function's own calls had opened nothing, and its old answers had been reused."""
    space = kernel(
        "import functools\nfrom pathlib import Path\nfolder = Path('prompts')\n"
        "@functools.lru_cache\ndef load(which):\n    return (folder / f'{which}.txt').read_text()",
        "def answer(q):\n    return load('kind')",
    )
    assert asked(space)[0] == "kind"
    exec("def answer(q):\n    return load('kind') + '!'", space)
    first = asked(space)
    exec("def answer(q):\n    return load('kind') + '?'", space)
    second = asked(space)
    assert (first[0], second[0]) == ("kind!", "kind?")
    assert asked(space) == second
    prompts.write_text("rude")
    space["load"].cache_clear()
    third = asked(space)
    assert third[0] == "rude?"
    assert third[1] != second[1]
    assert asked(space) == third


def test_a_file_that_a_library_reads_beside_the_working_folder_counts(
    prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a notebook's `../data/kind.csv` does; its old answers had been reused."""
    folder = prompts.parent.parent
    (folder / ".git").mkdir()
    (folder / "notebooks").mkdir()
    monkeypatch.chdir(folder / "notebooks")
    space = kernel(
        "import pandas\ndef load(which):\n"
        "    return pandas.read_csv(f'../{which}.txt', header=None, dtype=str)[0][0]",
        "def answer(q):\n    return load('prompts/kind')",
    )
    first = asked(space)
    assert first[0] == "kind"
    assert asked(space) == first
    prompts.write_text("rude")
    second = asked(space)
    assert second[0] == "rude"
    assert second[1] != first[1]
    assert asked(space) == second
