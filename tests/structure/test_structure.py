"""The layers hold with types counted, and the figures of the structure stay within their limits."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TOP = {"promptops", "notebooks", "tests", "data"}
TOP |= {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"}


@pytest.fixture(scope="module")
def measured() -> tuple[Any, Any]:
    """The module that measures, and the package as it reads it."""
    spec = importlib.util.spec_from_file_location("structure_measure", HERE / "measure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["structure_measure"] = module
    spec.loader.exec_module(module)
    return module, module.modules()


def test_nothing_else_is_at_the_top() -> None:
    """The folders and files that the project may hold, beside those that begin with a dot."""
    root = HERE.parents[1]
    if not (root / ".git").exists():
        pytest.skip("no git here: an unpacked release")
    tracked = subprocess.check_output(["git", "-C", str(root), "ls-files"], text=True).split("\n")
    top = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    assert top == TOP


def test_no_circle_at_run_time(measured: tuple[Any, Any]) -> None:
    """Late imports counted: no module imports itself by way of others."""
    measure, found = measured
    assert measure.runtime_circles(found) == []


def test_circles_with_types_are_small(measured: tuple[Any, Any]) -> None:
    """Imports for types counted: no group is larger than six modules."""
    measure, found = measured
    assert max(map(len, measure.typed_circles(found)), default=0) <= 6


def test_private_names_are_private(measured: tuple[Any, Any]) -> None:
    """At most 15 reads of another object's private names, those of third-party clients included."""
    measure, found = measured
    assert len(measure.private_reads(found)) <= 15


def test_every_question_is_asked_in_one_place(measured: tuple[Any, Any]) -> None:
    """No SQL outside store/ and the packages of questions, which hold nothing but questions."""
    measure, found = measured
    assert measure.statements(found) == []
    assert measure.no_questions(found) == []


LIMITS = {
    "Any per 1,000 lines": 10.0,
    "lines past 100 characters": 0,
    "files past 350 lines": 0,
    "functions past 50 lines of code": 0,
    "functions past 7 parameters": 0,
    "file names in more than one layer": 0,
}


def test_every_figure_is_within_its_limit(measured: tuple[Any, Any]) -> None:
    """What measure.py exits with 1 for; an exception that nothing needs any more goes as well."""
    measure, found = measured
    figures = {
        "Any per 1,000 lines": round(measure.any_per_thousand(found), 1),
        "lines past 100 characters": len(measure.wide_lines(found)),
        "files past 350 lines": len(measure.long_files(found)),
        "functions past 50 lines of code": len(measure.long_functions(found)),
        "functions past 7 parameters": len(measure.many_parameters(found)),
        "file names in more than one layer": len(measure.repeated_names(found)),
    }
    grown = {name: figure for name, figure in figures.items() if figure > LIMITS[name]}
    assert not grown, f"past: {grown}; see `python tests/structure/measure.py --list`"
    assert measure.idle_exceptions(found) == []


def test_a_docstring_is_no_length_and_an_exception_is_named(
    tmp_path: Path, measured: tuple[Any, Any]
) -> None:
    """The measure itself: 51 lines of code count wherever they are, and eight parameters do."""
    measure, _ = measured
    package = tmp_path / "promptops"
    package.mkdir()
    body = "    x = 1\n" * 49
    (package / "a.py").write_text(
        f'def f():\n    """One\n    two.\n    """\n{body}'
        f"def g():\n{body}    return x\n"
        "class C:\n    async def h(self, a, b, c, d, e, f, /, g, *, h):\n        pass\n"
        "    def fine(self, a, b, c, d, e, f, g):\n        pass\n"
    )
    found = measure.modules(package)
    assert [str(f) for f in measure.long_functions(found)] == [
        "promptops.a:54 g: 51 lines, 0 parameters"
    ]
    assert [f.place for f in measure.many_parameters(found)] == ["promptops.a:h"]
    assert measure.idle_exceptions(found) == sorted(measure.PUBLIC_SIGNATURES)


def test_a_circle_and_a_private_read_are_noticed(tmp_path: Path, measured: tuple[Any, Any]) -> None:
    """The measure itself: two modules that import each other, one of them late, and one read."""
    measure, _ = measured
    package = tmp_path / "promptops"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from .b import g\n\n\ndef f(x):\n    return x._hidden\n")
    (package / "b.py").write_text("def g():\n    from .a import f\n\n    return f\n")
    (package / "queries").mkdir()
    (package / "queries" / "c.py").write_text("def h(rows):\n    return 'select 1 from runs'\n")
    (package / "d.py").write_text('ASKED = f"select {1} from runs"\n')
    found = measure.modules(package)
    assert measure.runtime_circles(found) == [["promptops.a", "promptops.b"]]
    assert len(measure.private_reads(found)) == 1
    assert measure.no_questions(found) == ["promptops.queries.c:h"]
    assert measure.statements(found) == ["promptops.d:1"]
