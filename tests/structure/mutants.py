"""The share of broken variants that the tests notice: `python tests/structure/mutants.py`.

Each mutant is one module with one change: a comparison, a constant at a boundary, `*` for `/`,
`and` for `or`, a `return` of nothing, a `not` left out. The module's own tests run against it, in a
process that has imported nothing of promptops yet; a mutant that no test fails for survives and is
printed.
Exit code 1 if a module's share is below 90 %.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import os
import pickle
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LEAST = 0.9  # share of mutants that a module's own tests have to notice
TINY = 1e-6  # a constant below it is a tolerance: moved, it behaves the same
CHECKS = "tests/analysis/test_policy_checks.py"
DECIDE = [
    "tests/analysis/test_decide.py",
    "tests/analysis/test_decide_boundaries.py",
    "tests/analysis/test_worst_case.py",
    "tests/analysis/test_evidence.py",
]
# module -> the test files that are about it
TESTS = {
    "promptops.version.renderer": ["tests/version/test_renderer.py"],
    "promptops.registry.gate": [
        "tests/registry/test_gate.py",
        "tests/registry/test_gate_boundaries.py",
    ],
    "promptops.analysis.decide": [*DECIDE, "tests/analysis/test_weighted.py"],
    "promptops.analysis.finalists": DECIDE,
    "promptops.analysis.first_deployment": DECIDE,
    "promptops.analysis.verdict": DECIDE,
    "promptops.analysis.policy_checks": [CHECKS, *DECIDE],
    "promptops.analysis.preconditions": ["tests/analysis/test_preconditions.py", *DECIDE],
    "promptops.analysis.next_n": [CHECKS, *DECIDE],
    "promptops.policy_rules": ["tests/test_policy_rules.py"],
    "promptops.registry.chain": [
        "tests/registry/test_chain.py",
        "tests/registry/test_document.py",
        "tests/registry/test_editor.py",
    ],
    "promptops.spool.segment": ["tests/spool/test_segment.py", "tests/spool/test_lines.py"],
    "promptops.store.merge_segments": ["tests/store/test_merge_segments.py"],
}
HEAVY = ("pytest", "hypothesis", "numpy", "scipy.stats", "scipy.special", "duckdb", "pyarrow")
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module: where it is, what it is, and the lines of its statement."""

    module: str
    line: int
    what: str
    lines: range
    inside: bool  # in the body of a function: it need not be imported again
    tree: ast.Module = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.what}"


def mutants(module: str, source: str) -> list[Mutant]:
    """Every mutant of a module's source, in the order of its lines."""
    tree = ast.parse(source)
    found = []
    for place, (node, lines, inside) in enumerate(list(_sites(tree, range(1), False))):
        for choice in range(_choices(node)):
            changed = copy.deepcopy(tree)
            twin = list(_sites(changed, range(1), False))[place][0]
            what = _change(twin, choice)
            line = getattr(node, "lineno", lines.start)
            whole = ast.fix_missing_locations(changed)
            found.append(Mutant(module, line, what, lines, inside, whole))
    return found


def _sites(node: ast.AST, lines: range, inside: bool) -> Iterator[tuple[ast.AST, range, bool]]:
    """The nodes that can be changed, each with the lines of its statement and whether it is in the
    body of a function.

    Left out is what no run can tell apart or what only people read: annotations, decorators, the
    texts of f-strings and of errors, docstrings, and what is for the type checker.
    """
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        lines = range(node.lineno, max(last, node.lineno) + 1)
    if isinstance(node, (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom)):
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if _choices(node):
        yield node, lines, inside
    function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _sites(child, lines, inside or (function and name == "body"))


def _choices(node: ast.AST) -> int:
    """How many mutants are made of one node."""
    if isinstance(node, ast.Compare):
        return len(node.ops)
    if isinstance(node, ast.BinOp):
        text = isinstance(node.left, (ast.Constant, ast.JoinedStr)) and isinstance(
            getattr(node.left, "value", ""), str
        )
        return int(type(node.op) in SWAPS and not text)
    if isinstance(node, ast.Constant):
        number = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        return int(number and (node.value == 0 or abs(node.value) >= TINY))  # type: ignore[arg-type,operator]
    if isinstance(node, ast.Return):
        nothing = node.value is None or ast.unparse(node.value) == "None"
        return int(not nothing)
    return int(
        isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and type(node.op) is ast.Not)
    )


def _change(node: ast.AST, choice: int) -> str:
    """Change the node in place; returns what was changed."""
    before = ast.unparse(node)
    if isinstance(node, ast.Compare):
        node.ops[choice] = SWAPS[type(node.ops[choice])]()  # type: ignore[call-overload]
    elif isinstance(node, (ast.BinOp, ast.BoolOp)):
        node.op = SWAPS[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.Constant):
        node.value = node.value + 1 if isinstance(node.value, int) else node.value * 1.5 or 1.0  # type: ignore[operator]
    elif isinstance(node, ast.Return):
        node.value = ast.Constant(None)
    elif isinstance(node, ast.UnaryOp):  # `not x` as the truth of x
        node.op = ast.Not()
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
    return f"{_short(before)} -> {_short(ast.unparse(node))}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"


class _Mutated(MetaPathFinder, SourceLoader):
    """Imports one module from a changed syntax tree, and everything else as usual."""

    def __init__(self, module: str, path: Path, tree: ast.Module) -> None:
        self.module, self.path, self.tree, self.used = module, path, tree, False

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self.module:
            return None
        return spec_from_file_location(name, self.path, loader=self)

    def get_filename(self, name: str) -> str:
        return str(self.path)

    def get_data(self, path: str) -> bytes:  # type: ignore[override]
        return Path(path).read_bytes()

    def get_code(self, name: str) -> CodeType:
        self.used = True
        return compile(self.tree, str(self.path), "exec")


class _Trial:
    """A plugin of pytest that, in place of running the tests once, runs them against each mutant,
    in a child of this process that has everything but the mutated module's code in common.
    """

    def __init__(self, path: Path, made: Sequence[Mutant], scratch: Path) -> None:
        self.path, self.made, self.scratch = path, made, scratch
        self.fates: list[str] = []  # per mutant "killed", "survived" or "import": see `examine`
        self.lines: set[int] = set()
        self.fault = ""
        self.left_out: list[str] = []  # what failed without any change, as a test of time may

    def pytest_runtestloop(self, session: Any) -> bool:
        began = time.monotonic()
        failing = self._failing(session)
        session.items[:] = [item for item in session.items if item.nodeid not in failing]
        if len(failing) > 3 or not session.items:
            self.fault = f"{len(failing)} fail without any change"
            return True
        self.left_out = sorted(failing)
        limit = 3 * (time.monotonic() - began) + 20
        ran = self._covered(session)
        for mutant in self.made:
            first = [item for item in session.items if ran[item.nodeid] & set(mutant.lines)]
            rest = [item for item in session.items if item not in first]
            self.fates.append(self._fate(session, mutant, [*first, *rest], limit))
        return True

    def _fate(self, session: Any, mutant: Mutant, items: list[Any], limit: float) -> str:
        def work() -> int:
            if not _patched(self.path, mutant):
                return 77
            return self._run(session, items)

        code = _forked(work, limit, self.scratch / "log")
        return {0: "survived", 77: "import", 99: "import"}.get(code, "killed")

    def _failing(self, session: Any) -> set[str]:
        """The tests that fail without any change: nothing could be concluded from them."""
        out = self.scratch / "failing"

        def watch() -> int:
            failing = set()
            for item in session.items:
                before = session.testsfailed
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                if session.testsfailed > before:
                    failing.add(item.nodeid)
            return int(not out.write_bytes(pickle.dumps(failing)))

        _forked(watch, 900, self.scratch / "log")
        return set(pickle.loads(out.read_bytes()))  # our own bytes of a moment ago

    def _run(self, session: Any, items: Sequence[Any]) -> int:
        """1 as soon as a test fails."""
        for item, following in zip(items, [*items[1:], None], strict=True):
            self.lines = set()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
        return 0

    def _covered(self, session: Any) -> dict[str, set[int]]:
        """test -> the lines of the module that it runs. A trace is slow: a test of time may fail
        under it, which counts for nothing here.
        """
        out = self.scratch / "covered"

        def watch() -> int:
            found = {}
            threading.settrace(self._trace)
            sys.settrace(self._trace)
            for item in session.items:
                self._run(session, [item])
                found[item.nodeid] = self.lines
            sys.settrace(None)
            return int(not out.write_bytes(pickle.dumps(found)))

        _forked(watch, 900, self.scratch / "log")
        return pickle.loads(out.read_bytes())  # our own bytes of a moment ago

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        return self._line if frame.f_code.co_filename == str(self.path) else None

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        self.lines.add(frame.f_lineno)
        return self._line


def _patched(path: Path, mutant: Mutant) -> bool:
    """Give the functions of an imported module the mutant's code; False if that cannot be, as
    for what an import computes.
    """
    if not mutant.inside:
        return False
    fresh: dict[tuple[str, int], CodeType | None] = {}
    waiting = [compile(mutant.tree, str(path), "exec")]
    while waiting:
        code = waiting.pop()
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]
        key = (code.co_qualname, code.co_firstlineno)
        fresh[key] = None if key in fresh else code
    gc.unfreeze()  # the suite freezes what it imported, and what is frozen is not listed
    live = [
        found
        for found in gc.get_objects()
        if isinstance(found, FunctionType) and found.__code__.co_filename == str(path)
    ]
    try:
        for function in live:
            key = (function.__code__.co_qualname, function.__code__.co_firstlineno)
            code_of = fresh[key]
            if code_of is None:
                return False
            function.__code__ = code_of
    except (KeyError, ValueError):  # the change took the last use of an outer variable
        return False
    return bool(live)


def _pytest(words: Sequence[str], scratch: Path, plugins: Sequence[object] = ()) -> int:
    import pytest

    quiet = ["-o", "addopts=--import-mode=importlib --strict-markers", "-p", "no:cacheprovider"]
    base = f"--basetemp={scratch / 'base'}"
    return int(pytest.main([*quiet, "-q", "-x", base, *words], plugins=list(plugins)))


def _forked(work: Callable[[], int], limit: float, log: Path) -> int:
    """The exit code of a function in a process of its own; -1 if it took too long."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        code = 99
        try:
            os.setpgid(0, 0)
            into = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            for stream in (0, 1, 2):
                os.dup2(into, stream)
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    while time.monotonic() - began < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def _imported(path: Path, mutant: Mutant, scratch: Path) -> bool:
    """Whether a test fails where the module is imported as the mutant."""

    def work() -> int:
        mutated = _Mutated(mutant.module, path, mutant.tree)
        sys.meta_path.insert(0, mutated)
        # pytest's own importer, which rewrites asserts, would come first and read the file instead
        code = _pytest(["--assert=plain", *TESTS[mutant.module]], scratch)
        return code if mutated.used else 98

    code = _forked(work, 900, scratch / "log")
    if code in (4, 5, 98, 99):  # of pytest or of this file, not of a test
        raise SystemExit(f"{mutant} could not be tried (exit {code}).")
    return code != 0


def examine(module: str, sample: int | None, seed: int) -> tuple[int, list[Mutant]]:
    """How many mutants of a module were tried, and which of them survived its tests.

    Raises SystemExit if the tests fail without any change.
    """
    path = ROOT / (module.replace(".", "/") + ".py")
    made = mutants(module, path.read_text(encoding="utf-8"))
    if sample is not None and sample < len(made):
        made = sorted(random.Random(seed).sample(made, sample), key=lambda mutant: mutant.line)
    with tempfile.TemporaryDirectory() as folder:
        scratch, out = Path(folder), Path(folder) / "fates"

        def work() -> int:
            trial = _Trial(path, made, scratch)
            _pytest(TESTS[module], scratch, [trial])
            out.write_bytes(pickle.dumps((trial.fault, trial.fates, trial.left_out)))
            return 0

        _forked(work, 12 * 3600, scratch / "log")
        read = pickle.loads(out.read_bytes()) if out.exists() else ("no test ran", [], [])
        fault, fates, left_out = read
        for test in left_out:
            print(f"  left out, since it fails without any change: {test}", flush=True)
        if fault or len(fates) != len(made):
            print((scratch / "log").read_text(encoding="utf-8", errors="replace")[-3000:])
            raise SystemExit(f"{module}: its tests are of no use here: {fault or 'interrupted'}.")
        survivors = [
            mutant
            for mutant, fate in zip(made, fates, strict=True)
            if fate == "survived" or (fate == "import" and not _imported(path, mutant, scratch))
        ]
    return len(made), survivors


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the share per module and the survivors; 1 if a share is below 90 %."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="the end of a module's name, such as decide")
    parser.add_argument("--sample", type=int, help="so many mutants of each module")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    chosen = parser.parse_args(arguments)
    asked = chosen.modules or [name.rpartition(".")[2] for name in TESTS]
    unknown = sorted(set(asked) - {name.rpartition(".")[2] for name in TESTS})
    if unknown:
        parser.error(f"{unknown[0]} is not one of {', '.join(TESTS)}")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for heavy in HEAVY:  # shared by every child; of promptops nothing is imported here
        import_module(heavy)
    low = False
    for module in TESTS:
        if module.rpartition(".")[2] not in asked:
            continue
        tried, survivors = examine(module, chosen.sample, chosen.seed)
        share = 1 - len(survivors) / max(tried, 1)
        low = low or share < LEAST
        print(f"{module:<36} {tried - len(survivors):>4} of {tried:<4} {share:6.1%}", flush=True)
        for mutant in survivors:
            print(f"  survived: {mutant}", flush=True)
    return int(low)


if __name__ == "__main__":
    sys.exit(main())
