"""Scan finds prompts, not strings; what replaces one renders the same bytes for the same values."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import promptops
from promptops.cli.__main__ import group
from promptops.errors import DatasetError
from promptops.exchange.scan import Baseline, FoundPrompt, scan, walk
from promptops.exchange.scan.found_prompt import plain_text
from tests.quick import quick

sys.path.insert(0, str(Path(__file__).parent))
from scan_recall import FINDS, HELD_OUT_FINDS, counted, repositories, summed

FILES = Path(__file__).parent / "files" / "codebase"


def found_in(folder: Path, **files: str) -> list[FoundPrompt]:
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(text)
    return scan([folder])


def test_a_service_gives_its_prompts() -> None:
    """app.py: two calls of three texts; constants.ts: three prompts of four strings."""
    found = scan([FILES])
    assert [(p.file, p.line, p.name) for p in found] == [
        ("app.py", 13, "triage"),
        ("app.py", 22, "summarise"),
        ("constants.ts", 2, "triage-2"),
        ("constants.ts", 4, "system"),
        ("constants.ts", 5, "summarise-2"),
    ]
    triage, summarise = found[:2]
    assert [role for role, _ in triage.messages] == ["system", "user"]
    assert (triage.model, triage.settings) == ("gpt-4o-mini", {"temperature": 0})
    assert triage.variables == {"customer": "customer", "ticket": "ticket"}
    assert summarise.variables == {"words": "str(words)", "text": "text.strip()"}
    assert found[2].variables == {"ticket": "String(ticket)"}
    assert plain_text(found[4].messages[0][1]) == (
        "Summarise the following text in three sentences:\n\n{…}"
    )


FORMS = [
    'f"Say {a} and {b}."',
    'f"Say {a!r} and {n:>5}."',
    'f"Say {a.strip()} of {n}: {{braces}} {{{{two}}}}"',
    '"Say {} and {}.".format(a, n)',
    '"Say {x} and {y:>4}.".format(x=a, y=n)',
    '"Say %s and %d of 100%%." % (a, n)',
    '"Say %(x)s." % {"x": a}',
    '"Say " + a + " and " + b',
    'Template("Say $x and ${y} for $$5").substitute(x=a, y=n)',
    '"\\n".join(["Say", a, "and " + b])',
    "TEXT.format(a=a, b=b)",
    'f"{HEAD} {a}"',
    'HEAD + "\\n\\n" + f"{n} times {a.upper()}"',
    'dedent("""\n        Say this.\n          Twice.\n    """) + a',
    'f"{{{{{a}}}}} {HEAD}"',
]
PROGRAM = """
from string import Template
from textwrap import dedent
HEAD = "You are brief {{x}}."
TEXT = "First {a}, then {{literal}} {b}"
def ask(client, a: str, b: str, n: int):
    prompt = FORM
    return client.chat.completions.create(model="m", messages=[
        {"role": "system", "content": HEAD}, {"role": "user", "content": prompt}])
"""


class _Client:
    def __init__(self) -> None:
        self.chat = self.completions = self

    def create(self, **request: Any) -> Any:
        return request["messages"]


@pytest.mark.parametrize("form", FORMS)
def test_a_replaced_call_renders_the_same_bytes(form: str, tmp_path: Path) -> None:
    source = PROGRAM.replace("FORM", form)
    (found,) = found_in(tmp_path, app_py=source)
    version = found.version()
    space: dict[str, Any] = {}
    exec(source, space)

    @settings(max_examples=25, deadline=None, database=None)
    @given(a=st.text(), b=st.text(), n=st.integers(-(10**6), 10**6))
    def same(a: str, b: str, n: int) -> None:
        there = space["ask"](_Client(), a, b, n)
        names = {**space, "a": a, "b": b, "n": n}
        values = {name: eval(code, names) for name, code in found.variables.items()}
        assert version.render(values) == there

    same()


def test_prompts_not_strings(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        app_py="""
SQL_PROMPT = "SELECT name, body FROM prompts WHERE id = %s and given the following"
URL = "https://example.org/you/are/an/assistant"
ERROR = "The file could not be opened because it does not exist on this machine."
HELP = "Do not use this option unless you know what it does and why you are using it, please."
# promptops: not-a-prompt
SYSTEM_PROMPT = "You are a helpful assistant who answers in French."
LABEL = "prompt"
REAL_PROMPT = "You are a helpful assistant who answers in German."
""",
    )
    assert [p.name for p in found] == ["real"]


def test_calls_of_other_clients(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        a_py="""
def claude(client, q):
    return client.messages.create(model="claude-x", max_tokens=50, system="Be brief.",
        messages=[{"role": "user", "content": f"Answer {q}"}])
def gemini(client, q):
    return client.models.generate_content(model="gemini-x", contents=f"Sum up {q}")
def answers(client, q):
    return client.responses.create(model="gpt-x", instructions="Be kind.", input=q + "!")
def lite(q):
    return litellm.completion(model="m", messages=[dict(role="user", content=q)] if q else [
        {"role": "user", "content": "Hello there"}])
def chain():
    return ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "Say hello")])
def parts(client, q):
    return client.chat.completions.create(model="m", messages=[
        {"role": "user", "content": [{"type": "text", "text": "Look: " + q}]}])
""",
    )
    seen = {p.name: (p.model, [role for role, _ in p.messages]) for p in found}
    assert seen["claude"] == ("claude-x", ["system", "user"])
    assert seen["gemini"] == ("gemini-x", ["user"])
    assert seen["answers"] == ("gpt-x", ["system", "user"])
    assert seen["chain"] == (None, ["system", "user"])
    assert seen["parts"] == ("m", ["user"])


def test_constants_of_imports_are_followed(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        texts_py='SYSTEM = "You are a judge of poems."\nASK = "Rate {poem}"\n',
        app_py="""
import texts
from texts import SYSTEM as S
def rate(client, poem: str):
    return client.chat.completions.create(model="m", messages=[
        {"role": "system", "content": S}, {"role": "user", "content": texts.ASK.format(poem=poem)}])
""",
    )
    rate = next(p for p in found if p.name == "rate")
    assert [plain_text(text) for _, text in rate.messages] == [
        "You are a judge of poems.",
        "Rate {…}",
    ]


def test_a_name_that_is_assigned_twice_is_a_value(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        app_py="""
def ask(client, q: str):
    tone = "kindly"
    if q:
        tone = "briefly"
    return client.chat.completions.create(model="m", messages=[
        {"role": "user", "content": f"Answer {tone}: {q}"}])
""",
    )
    assert found[0].variables == {"tone": "str(tone)", "q": "q"}


def test_typescript_calls(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        a_ts="""
const SYSTEM = "Be \\"brief\\"." as const;
export async function triage(ticket: string) {
  return client.chat.completions.create({
    model: "gpt-x", temperature: 0.5,
    messages: [{ role: "system", content: SYSTEM },
               { role: "user", content: `Ticket:\\n${ticket.trim()} \\${x}` }],
  });
}
const rate = async (poem) => generateText({ model: openai("gpt-y"), prompt: "Rate " + poem });
""",
    )
    triage, rate = found
    assert (triage.name, triage.model, triage.settings) == ("triage", "gpt-x", {"temperature": 0.5})
    assert triage.messages[0] == ("system", ('Be "brief".',))
    assert triage.variables == {"ticket": "ticket.trim()"}
    assert triage.version().render({"ticket": "T"})[1]["content"] == "Ticket:\nT ${x}"
    assert (rate.name, rate.model, rate.variables) == (
        "rate",
        "gpt-y",
        {"poem": "String(poem)"},
    )


def test_a_baseline_names_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "src"
    source.mkdir()
    (source / "a.py").write_text('A_PROMPT = "You are a helpful assistant, answer in French."\n')

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(group(), ["scan", "src", *arguments])
        return done.exit_code, done.output

    assert run()[0] == 0
    assert run("--check")[0] == 1
    assert run("--write-baseline")[0] == 0
    assert run("--check") == (0, "0 new prompts found\n")
    moved = '\n\nA_PROMPT = "You are a helpful assistant, answer in French."\n'
    (source / "a.py").write_text(moved + 'B_PROMPT = "You are a judge, answer with a number."\n')
    code, output = run("--check")
    assert code == 1
    assert "a.py:4" in output
    assert "1 new prompt found" in output
    code, output = run("--write")
    assert "2 of 2 prompts saved" in output
    registry = json.loads((tmp_path / "promptops.json").read_text())
    assert sorted(registry["prompts"]) == ["a", "b"]
    assert len(Baseline.read(tmp_path / "promptops-scan.json").keys) == 1


def test_it_is_fast() -> None:
    """A layer of ours in a part of the 10 seconds that 100,000 lines may take; the bound is
    generous, for a busy machine.
    """
    root = Path(__file__).parents[2] / "promptops" / "study"
    lines = sum(file.read_text().count("\n") for file in root.rglob("*.py"))
    with quick(40 * lines / 100_000):
        scan([root])


def test_texts_handed_to_a_function_of_the_projects_own_are_found(tmp_path: Path) -> None:
    """Assigned in a function or returned by one; what fills a constant in is that constant."""
    source = '''
GRADE_TEMPLATE = "You are grading a report about {topic}. Return only JSON."
PERSONA_ROLE = """Provide only shell commands for {os} without any description.
If there is a lack of details, provide the most logical solution."""
ROLE = "admin"

def describe(code):
    prompt = f"Provide a clear description for this function: {code}"
    return ask(prompt)

def again(code):
    prompt = f"Write a short test for the following function: {code}"
    return ask(prompt)

def summary_prompt(text):
    return f"Summarise the following text in {len(text)} words: {text}"

def grade(topic):
    prompt = GRADE_TEMPLATE.format(topic=topic)
    return ask(prompt)

def ask(prompt):
    error = f"The call of the model failed for the reason that {prompt} was empty"
    return client.chat.completions.create(messages=[{"role": "user", "content": prompt}])
'''
    found = found_in(tmp_path, app_py=source)
    assert [p.name for p in found] == [
        "grade-template",
        "persona-role",
        "describe",
        "again",
        "summary-prompt",
    ]


def test_files_of_tests_are_left_out_of_a_folder(tmp_path: Path) -> None:
    """Named by itself, one is scanned."""
    text = 'SYSTEM_PROMPT = "You are a helpful assistant. Answer in one sentence."\n'
    (tmp_path / "tests").mkdir()
    for name in ("tests/helper.py", "test_app.py", "app.py"):
        (tmp_path / name).write_text(text)
    assert [p.file for p in scan([tmp_path])] == ["app.py"]
    assert [p.file for p in scan([tmp_path / "test_app.py"])] == ["test_app.py"]


def test_an_array_that_is_filtered_and_joined_is_a_text(tmp_path: Path) -> None:
    """As a function of TypeScript gives it."""
    source = """export const generatePrompt = (most: number) =>
  ['Generate a concise commit message for the following diff.', `At most ${most} characters.`]
    .filter(Boolean)
    .join('\\n');
"""
    [found] = found_in(tmp_path, prompt_ts=source)
    assert found.name == "generate"
    assert found.variables == {"most": "String(most)"}


def test_finds_are_held_against_labels() -> None:
    """Each label counts once, two lines off at most; the labels hold names and lines, no code."""
    labels = [{"name": "a", "file": "x.py", "lines": [10, 20]}]
    got = counted(labels, [("x.py", 12), ("x.py", 20), ("y.py", 10)])
    assert (got.hits, got.missed, got.wrong) == (1, (), (("x.py", 20), ("y.py", 10)))
    for held_out, more in ((False, set()), (True, {"kind"})):
        kept = repositories(held_out)
        keys = {key for each in kept for prompt in each["prompts"] for key in prompt}
        assert keys == {"name", "file", "lines", "also"} | more


def test_nine_of_ten_prompts_of_ten_public_repositories_were_found() -> None:
    """The recorded finds of the last run of `scan_recall.py --keep`, held against the labels."""
    kept = repositories(held_out=False)
    finds = json.loads(FINDS.read_text(encoding="utf-8"))
    assert len(kept) == 10
    got = [counted(each["prompts"], finds[each["repo"]]) for each in kept]
    recall, precision = summed(got)
    assert recall >= 0.9
    assert precision >= 0.8


def test_the_guide_gives_the_figures_of_the_first_run_on_held_out_repositories() -> None:
    """The finds of that run are kept for good: what is mended later does not better this figure."""
    kept = repositories(held_out=True)
    finds = json.loads(HELD_OUT_FINDS.read_text(encoding="utf-8"))
    assert [each["repo"] for each in kept] == list(finds)
    got = {each["repo"]: counted(each["prompts"], finds[each["repo"]]) for each in kept}
    assert [(here.hits, len(here.missed), len(here.wrong)) for here in got.values()] == [
        (5, 0, 1),
        (1, 7, 1),
        (29, 2, 5),
        (32, 0, 2),
    ]
    guide = (Path(promptops.__file__).parent / "guide" / "moving-over.md").read_text("utf-8")
    for repo, here in got.items():
        assert f"| {repo} | {here.hits} of {here.hits + len(here.missed)} |" in guide
    found, right = (f"{100 * part:.0f} %" for part in summed(got.values()))
    assert f"held out: {found} found, and {right} of the finds were prompts" in guide


HANDED = '''
import requests
from langchain_core.messages import HumanMessage, SystemMessage
REPLY = "You are brief. Answer in one sentence."

def path(intent):
    return ask_model("gpt-x", f"""You are a developer who plans a program for {intent}.
    Give the list of its files.""", intent)

def judge(answer):
    judge = Judge(system="You are a strict judge of answers to questions.")
    return judge(answer)

def search(query):
    body = {"model": "sonar", "messages": [
        {"role": "system", "content": "Search the web and give sources."},
        {"role": "user", "content": query}]}
    return requests.post("https://x.example", json=body)

def sort(llm, ticket):
    return llm.with_structured_output(Kind).invoke(
        [SystemMessage(content=REPLY), HumanMessage(content=ticket)])

def debug(context):
    system = "You are a debugger. Answer with the fault only."
    prompt = "My files are the following: " + context
    return ask_model(system, prompt)

def shout(model, text):
    return model.generate_content(f"Say loudly: {text}")

def nothing(log, parser, graph, text):
    log.info("You are about to write a file; do not stop the program until it is done, please.")
    parser.add_argument("--x", help="Generate a file and do not write an index; see the following")
    graph.update({"messages": [AIMessage(content="The report failed, do not write an index")]})
    raise ValueError("You are asked to give the following: a number, do not write a text here.")
'''


def test_prompts_that_only_a_function_of_the_projects_own_takes(tmp_path: Path) -> None:
    """Written where they are handed over, in the body of a request, as messages of LangChain;
    several texts of one call are one prompt, and what it reads is none.
    """
    found = {p.name: [role for role, _ in p.messages] for p in found_in(tmp_path, a_py=HANDED)}
    assert found == {
        "path": ["user"],
        "judge": ["system"],
        "search": ["system", "user"],
        "sort": ["system", "user"],
        "debug": ["system", "user"],
        "shout": ["user"],
    }


def test_an_imported_constant_that_a_call_sends_is_found_once(tmp_path: Path) -> None:
    """In a layout with src/ too; a second name for one is none, and a piece of one neither."""
    inner = tmp_path / "src" / "app"
    inner.mkdir(parents=True)
    (inner / "texts.py").write_text(
        'RULES_PROMPT = "Do not give names. Answer in one sentence."\n'
        'SYSTEM_PROMPT = f"You are a judge of poems. {RULES_PROMPT}"\n'
        'OTHER_PROMPT = "You are a judge of plays. Answer in one word."\n'
    )
    (inner / "ask.py").write_text(
        "from app.texts import OTHER_PROMPT, SYSTEM_PROMPT\n"
        "template = OTHER_PROMPT\n"
        "def rate(client, poem):\n"
        "    return client.chat.completions.create(model='m', messages=[\n"
        "        {'role': 'system', 'content': SYSTEM_PROMPT},\n"
        "        {'role': 'user', 'content': poem}])\n"
    )
    assert [(p.file, p.name) for p in scan([tmp_path])] == [
        ("src/app/ask.py", "rate"),
        ("src/app/texts.py", "other"),
    ]


def test_typescript_of_the_projects_own_functions(tmp_path: Path) -> None:
    """Messages handed to one, a chain of calls, parts of content, `dedent`, class names of CSS."""
    source = """
const rules = dedent`
  Answer in one sentence.
  Do not guess.
`;
function getPrompt(question: string) {
  return dedent`
    The question is: ${question}

    ${rules}
  `;
}
async function logs(code: string) {
  return ownCompletion({ messages: [
    { role: 'system' as const, content: 'You add logs.' },
    { role: 'user', content: code } ] });
}
const look = (url) => anthropic.messages
  .stream({ model: 'm', messages: [{ role: 'user', content: [
    { type: 'image', source: url }, { type: 'text', text: 'What is wrong here?' }] }] })
  .on('text', print);
const path = (intent) => ask(model, `You are a developer who plans a program for ${intent},
  with the list of its files.`);
const box = cva("a b c translate-x-5 translate-y-0 rounded-full h-4 w-4 shadow-lg ring-0 px-2 d");
fetch('https://x.example', { body: JSON.stringify({ messages }) });
"""
    found = {p.name: p for p in found_in(tmp_path, a_ts=source)}
    assert sorted(found) == ["get", "logs", "look", "path"]
    assert plain_text(found["get"].messages[0][1]) == (
        "The question is: {…}\n\nAnswer in one sentence.\nDo not guess."
    )
    assert [role for role, _ in found["logs"].messages] == ["system", "user"]
    assert found["look"].call == "anthropic.messages.stream"


MOVED = """from openai import OpenAI
client = OpenAI()
SYSTEM = "You are a support agent. Name the one category of the ticket."
TOOLS = [{"type": "function", "function": {"name": "close"}}]
EXTRA = {"seed": len(TOOLS)}

def triage(customer: str, ticket: str):
    return client.chat.completions.create(
        model="gpt-x", temperature=0, stream=True, tools=TOOLS, **EXTRA,
        messages=[
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": f"Ticket of {customer}: {ticket!r}"},
        ],
    )

def summarise(text, words: int = 30):
    prompt = "Summarise in at most {} words: {}".format(words, text.strip())
    return client.chat.completions.create(
        model="gpt-x", messages=[{"role": "user", "content": prompt}])
"""


def test_a_service_moves_in_one_command_and_one_line_for_each_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`scan --write --env prod` serves what the code sent; each printed line takes a call's place,
    and the import is one line of the file: at most two lines by hand for a prompt. The request
    that the provider gets is the same, in every argument.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    path = tmp_path / "src" / "app.py"
    path.write_text(MOVED)
    done = CliRunner().invoke(group(), ["scan", "src", "--write", "--env", "prod"])
    assert "2 of 2 prompts saved" in done.output
    assert done.output.count("prod serves it") == 2
    printed = [line.strip() for line in done.output.splitlines() if "promptops.load" in line]
    moved = MOVED
    calls = [node for node in ast.walk(ast.parse(MOVED)) if isinstance(node, ast.Call)]
    sent = [node for node in calls if ast.unparse(node.func).endswith("completions.create")]
    for node, line in zip(sent, printed, strict=True):
        moved = moved.replace(str(ast.get_source_segment(MOVED, node)), line)
    moved = "import promptops\n" + moved
    typed = [line for line in moved.splitlines() if line not in MOVED.splitlines()]
    assert len(typed) <= 2 * len(sent)

    monkeypatch.setitem(sys.modules, "openai", SimpleNamespace(OpenAI=_Recorder))
    before, after = {}, {}
    exec(MOVED, before)
    exec(moved, after)
    for values in (("Lee", "I can't {log} in"), ("Ana {{x}}", "\n%s $x\n")):
        assert after["triage"](*values) == before["triage"](*values)
        assert after["summarise"](*values[1:]) == before["summarise"](*values[1:])


class _Recorder:
    """A client that gives back what it was asked."""

    def __init__(self) -> None:
        self.chat = self.completions = self

    def create(self, **request: Any) -> Any:
        return request


def test_an_environment_that_serves_something_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "app.py"
    for word, said in (("French", "prod serves it"), ("German", "serves v1 of a already")):
        path.write_text(f'A_PROMPT = "You are a helpful assistant, answer in {word}."\n')
        done = CliRunner().invoke(group(), ["scan", "app.py", "--write", "--env", "prod"])
        assert said in done.output
    assert CliRunner().invoke(group(), ["scan", "app.py", "--env", "prod"]).exit_code == 2


def test_a_message_that_cannot_be_seen_is_never_dropped(tmp_path: Path) -> None:
    """A value alone is a variable; a history that is built elsewhere makes the prompt one that is
    found, and not saved.
    """
    found = found_in(
        tmp_path,
        a_py="""
def answer(client, q):
    return client.responses.create(model="m", instructions="Be kind.", input=q)
def chat(client, history, q: str):
    return client.chat.completions.create(model="m", messages=[
        {"role": "system", "content": "Be brief."}, *history, {"role": "user", "content": q}])
def more(client, history):
    return client.chat.completions.create(model="m", messages=[
        {"role": "system", "content": "Be brief."}] + history)
""",
    )
    answer, *others = found
    assert answer.variables == {"q": "str(q)"}
    assert answer.version().render({"q": "Hi"})[-1] == {"role": "user", "content": "Hi"}
    assert ["built elsewhere" in prompt.fault() for prompt in others] == [True, True]


def test_the_fields_of_a_template_of_langchain_are_variables(tmp_path: Path) -> None:
    source = """
def chain():
    return ChatPromptTemplate.from_messages([
        ("system", "Answer as {{json}}."), ("human", "Sort {ticket} of {who}")])
"""
    [found] = found_in(tmp_path, a_py=source)
    assert found.variables == {"ticket": "ticket", "who": "who"}
    assert [m["content"] for m in found.version().render({"ticket": "T", "who": "W"})] == [
        "Answer as {json}.",
        "Sort T of W",
    ]


def test_what_is_not_a_file_is_passed_by(tmp_path: Path) -> None:
    """A link that leads nowhere (an editor's lock), a pipe, which would keep its reader, a
    folder.
    """
    (tmp_path / ".#lock.py").symlink_to("ana@host.1234")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    source = """
def answer(client, q):
    return client.responses.create(model="m", instructions="Be kind.", input=q)
"""
    assert len(found_in(tmp_path, a_py=source)) == 1


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its prompts would be missing without a word."""

    def refused(file: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(walk, "read_plain", refused)
    with pytest.raises(DatasetError, match=r"a\.py cannot be read \(Permission denied\)"):
        found_in(tmp_path, a_py="x = 1")
