"""A folder of source scanned for prompts: which files are read, whose constants are followed, and
what a committed baseline knows already.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import DatasetError
from ...plain_file import open_target, read_plain
from .found_prompt import FoundPrompt
from .python_prompts import prompts_in_python
from .python_source import tables_of
from .python_texts import Names
from .script_prompts import prompts_in_script

__all__ = ["BASELINE", "Baseline", "replacement", "scan"]

BASELINE = "promptops-scan.json"
_SCRIPTS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_SKIPPED = frozenset(
    (*("node_modules", "dist", "build", "__pycache__", "site-packages", "venv", "vendor"), "target")
)
# prompts of tests are made up; a file or folder of tests that is named is scanned all the same
_TESTS = ("tests", "__tests__")
_TEST = re.compile(r"^test_|_test\.py$|^conftest\.py$|\.(?:test|spec)\.")
# a file without one of these words has no prompt that would be found
_MAY = re.compile(
    r"(?i)prompt|messages|system|instruction|template|persona|rubric|you are|your |"
    r"respond|answer|reply|summari|translate|classify|extract|rewrite|generate|given |return "
)
_MOST = 2 << 20  # bytes of a source file; a larger one is generated


def scan(paths: Sequence[Path]) -> list[FoundPrompt]:
    """The prompts of files and folders, by file and line; each has a name of its own.

    Args:
        paths: files, or folders of Python, TypeScript and JavaScript.

    Returns:
        What was found. A line, or the line above, with `promptops: not-a-prompt` is left out, and
        so are files of tests in a folder.

    Raises:
        DatasetError: a path is not there.
        MissingExtra: there is TypeScript or JavaScript, and the extra [scan] is not installed.
    """
    found: list[FoundPrompt] = []
    for path in paths:
        if not path.exists():
            raise DatasetError(f"there is nothing at {path}; give a file or folder of source.")
        root = path if path.is_dir() else path.parent
        imports = _Imports(root.resolve())
        here: list[FoundPrompt] = []
        for file in _files(path):
            shown = file.relative_to(root).as_posix()
            text = _text(file)
            if file.suffix == ".py":
                tree = _parsed(text) if _MAY.search(text) else None
                if tree is not None:
                    elsewhere = imports.of(file.resolve(), tree)
                    here += prompts_in_python(text, tree, shown, elsewhere)
            else:
                here += prompts_in_script(text, shown, file.suffix)
        sent = {(file.relative_to(root.resolve()).as_posix(), line) for file, line in imports.sent}
        found += [each for each in here if each.call or (each.file, each.line) not in sent]
    return _named_apart(found)


def _parsed(text: str) -> ast.Module | None:
    """The syntax tree of a text; None if it is not Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(
            name for name in inner if name not in (*_SKIPPED, *_TESTS) and not name.startswith(".")
        )
        for name in sorted(names):
            file = Path(folder) / name
            known = file.suffix == ".py" or (file.suffix in _SCRIPTS and ".min." not in name)
            if (
                known
                and not _TEST.search(name)
                and not name.endswith(".d.ts")
                and file.is_file()  # a pipe would keep its reader; a link may lead nowhere
                and file.stat().st_size <= _MOST
            ):
                yield file


def _named_apart(found: list[FoundPrompt]) -> list[FoundPrompt]:
    taken: dict[str, str] = {}
    out = []
    for prompt in found:
        name, n, key = prompt.name, 2, prompt.key
        while taken.get(name, key) != key:
            name, n = f"{prompt.name}-{n}", n + 1
        taken[name] = key
        out.append(replace(prompt, name=name))
    return out


def _text(file: Path) -> str:
    """The text of a source file. Raises DatasetError if it cannot be read."""
    try:
        return read_plain(file).decode("utf-8", "replace")
    except OSError as error:
        raise DatasetError(
            f"{file} cannot be read ({error.strerror or error}), so its prompts are unknown; make"
            " it readable, or scan another folder."
        ) from error


@dataclass(slots=True)
class _Imports:
    """Constants of the scanned modules, read when a file imports them."""

    root: Path
    known: dict[Path, Names] = field(default_factory=dict)
    sent: set[tuple[Path, int]] = field(default_factory=set)  # read by a call: file, line
    places: dict[tuple[Path, str, int], Path | None] = field(default_factory=dict)

    def of(self, file: Path, tree: ast.Module) -> _Finder:
        """Name in `file` -> the expression that it was imported as."""
        places: dict[str, tuple[Path, str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = self._file(file, node.module or "", node.level)
                for item in node.names:
                    name = item.asname or item.name
                    if module is not None and module.name != "__init__.py":
                        places[name] = (module, item.name)
                    inner = f"{node.module}.{item.name}" if node.module else item.name
                    below = self._file(file, inner, node.level)
                    if below is not None:
                        places[f"{name}."] = (below, "")
            elif isinstance(node, ast.Import):
                for item in node.names:
                    module = self._file(file, item.name, 0)
                    if module is not None:
                        places[f"{item.asname or item.name}."] = (module, "")
        return _Finder(self, places)

    def names(self, module: Path) -> Names:
        """The constants of a module."""
        if module not in self.known:
            tree = _parsed(_text(module))
            self.known[module] = Names({} if tree is None else tables_of(tree))
        return self.known[module]

    def _file(self, file: Path, module: str, level: int) -> Path | None:
        key = (file.parent, module, level)
        if key not in self.places:
            self.places[key] = self._looked_up(file, module, level)
        return self.places[key]

    def _looked_up(self, file: Path, module: str, level: int) -> Path | None:
        between = [folder for folder in file.parents if folder.is_relative_to(self.root)]
        bases = [file.parents[level - 1]] if level else [*reversed(between), self.root.parent]
        for base in bases:
            target = base.joinpath(*module.split(".")) if module else base
            for path in (target.with_suffix(".py"), target / "__init__.py"):
                if path.is_file() and path.is_relative_to(self.root):
                    return path
        return None


@dataclass(slots=True)
class _Finder:
    imports: _Imports
    places: dict[str, tuple[Path, str]]

    def note(self, name: str) -> None:
        """A call sends the constant of another file."""
        found = self(name)
        if found is not None:
            base, dot, _ = name.rpartition(".")
            module, _ = self.places[f"{base}." if dot else name]
            self.imports.sent.add((module, found[0].lineno))

    def __call__(self, name: str) -> tuple[ast.expr, Names] | None:
        base, dot, inner = name.rpartition(".")
        place = self.places.get(f"{base}." if dot else name)
        if place is None:
            return None
        names = self.imports.names(place[0])
        found = names.module.get(inner if dot else place[1])
        return None if found is None else (found, names)


def replacement(prompt: FoundPrompt, env: str = "prod") -> list[str]:
    """The lines that take a prompt's place in the code, once it is saved: the arguments that a
    version does not hold stay in the call.
    """
    script = prompt.file.endswith(_SCRIPTS)
    values = ", ".join(
        f"{name}: {code}" if script else f"{name}={code}" for name, code in prompt.variables.items()
    )
    if script:
        given = f"{{ {values} }}" if values else ""
        load = f'const prompt = load("{prompt.name}", {{ env: "{env}" }});'
        return [load, f"{prompt.call or 'send'}(prompt.request({given}))"]
    given = f'promptops.load("{prompt.name}", env="{env}").request({values})'
    return [f"{prompt.call or 'send'}({', '.join([f'**{given}', *prompt.kept])})"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The prompts that a project knows of and leaves in its code."""

    keys: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """The baseline of a file; an empty one if the file is missing.

        Raises DatasetError for a file that is not a baseline.
        """
        if not path.exists():
            return cls()
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            return cls(frozenset(str(item["key"]) for item in value["prompts"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise DatasetError(
                f"{path.name} is not a baseline; write it again with scan --write-baseline."
            ) from None

    def new(self, found: Sequence[FoundPrompt]) -> list[FoundPrompt]:
        """Those that the baseline does not know."""
        return [prompt for prompt in found if prompt.key not in self.keys]

    @staticmethod
    def write(found: Sequence[FoundPrompt], path: Path) -> None:
        """Write what was found as the baseline, one prompt per line."""
        rows = sorted(
            {
                prompt.key: {"key": prompt.key, "file": prompt.file, "name": prompt.name}
                for prompt in found
            }.values(),
            key=lambda row: (row["file"], row["name"], row["key"]),
        )
        lines = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows)
        with open_target(path) as file:
            file.write(
                f'{{\n  "format": "promptops-scan-1",\n  "prompts": [\n{lines}\n  ]\n}}\n'.encode()
            )
