"""Every view of the product as a cell of its own, over data that means harm and names that are
long.
"""

from __future__ import annotations

# what an answer, an input, a tag, a note or a name may hold: script, handlers, SVG, addresses,
# styles, terminal codes, bidi marks
HOSTILE = (
    "$\\href{http://example.invalid/q}{q}$"
    " \\(\\href{javascript:window.hit=1}{x}\\)<script>window.hit=1</script><img"
    " src=http://example.invalid/x onerror='window.hit=1'><svg onload='window.hit=1'><a"
    " href='http://example.invalid/y'></svg><svg><script>window.hit=1</script></svg><a"
    " href='javascript:window.hit=1'>x</a><iframe"
    " src='data:text/html,<script>parent.hit=1</script>'></iframe><style>body{display:none;background:url(http://example.invalid/z)}</style><link"
    " rel=stylesheet href=http://example.invalid/s><object"
    " data=http://example.invalid/o></object><form"
    " action=http://example.invalid/f><button>x</button></form><base"
    " href=http://example.invalid/><math><mtext><img src=x"
    " onerror='window.hit=1'></mtext></math>$\\href{javascript:window.hit=1}{x}$ \\(\\unicode{x}\\)"
    " `<b onclick=window.hit=1>b</b>`</pre></div></td></table>'\"><b"
    " onmouseover=window.hit=1>[x](javascript:window.hit=1) ![i](http://example.invalid/m)"
    " \x1b[31mred\x1b]8;;http://example.invalid\x07 \u202eevil\u2066 &lt;script&gt; \x00\x08"
)
LONG = "a_measure_with_a_name_that_goes_on_and_on_until_it_is_wider_than_any_column(expected.category)>=0.95"

SETUP = f"""
import time, warnings
warnings.simplefilter("ignore")
from promptops.lab import Dataset, Lab
from promptops.score import Score
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, equals, length, scorer, similar_to
from promptops.review.labelling import Labelling
from promptops.views.dashboard import StudiesView
from promptops.views.environments import EnvironmentsView
from promptops.views.examples_view import ExamplesView
from promptops.views.labels import LabelView
from promptops.views.prompts_tab import PromptsView
bad, long = {HOSTILE!r}, {LONG!r}
"""
PROJECT = """
def answering(right):
    def call(request):
        text = request["messages"][-1]["content"]
        number = int(text.split("#")[1].split()[0])
        return bad if number in (1, 2, 3) else "yes" if number % right else "no"
    return ScriptedModel(call, label=f"every {right}")
lab = Lab("project", models={f"m{i}": answering(i + 1) for i in range(1, 5)})
prompt = lab.prompt("triage")
versions = [prompt.save(f"Judge {i}: #{{{{number}}}} {{{{ticket}}}} " + bad, model=f"m{i}", note=bad if i == 2 else "a note") for i in range(1, 5)]
rows = [{"id": f"t{i:03}", "number": str(i), "ticket": bad if i < 4 else f"ticket {i}", "expected": "yes" if i % 4 else "no", "tags": [bad[:60], "even"] if i % 2 else ["odd"]} for i in range(80)]
graders = [equals(), scorer(name=long, version="1")(lambda output, expected: output == expected), similar_to(), length(at_most=300), contains("e"), scorer(name="reasoned", version="1")(lambda output: Score(0.5, reason='because ' + bad))]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    study = lab.evaluate(versions, Dataset.read(rows, name="tickets", tags="tags"), graders, name="first look").wait()
for version in versions[:3]:
    lab.promote(version, env="dev", reason=bad, force=True)
lab.rollback(versions[2], env="dev", reason="a customer complained")
for rater in ("ana", "bo"):
    queue = Labelling(study.recorded, rater)
    for place in range(6):
        queue.answer("first", bad)
"""
# name -> (the cell, text that its static page holds too)
VIEWS = {
    "study": ("study", "first look"),
    "comparison": ("study.compare()", "Difference"),
    "leaderboard": ("study.leaderboard()", "Which differences are shown"),
    "studies": ("StudiesView(study)", "Difference"),
    "examples": ("ExamplesView(study)", "biggest loss first"),
    "prompts": ("PromptsView(lab)", "What changed from"),
    "label": ("LabelView(study, rater='cleo')", "Agreement"),
    "environments": (
        "view = EnvironmentsView(lab)\nview.env.value = 'dev'\nview",
        "a customer complained",
    ),
    "dashboard": ("lab.dashboard()", "first look"),
    "lab": ("lab", "triage"),
    "listed": ("lab.studies", "first look"),
    "version": ("versions[1]", "Judge"),
    "dataset": ("study.recorded.dataset", "80 examples"),
}

LIVE = """
def slow(request):
    time.sleep(0.4)
    return "yes"
other = Lab("live", models={"slow": ScriptedModel(slow, label="slow")})
ask = other.prompt("ask")
running = other.evaluate([ask.save("#{{number}}", model="slow"), ask.save("Well: #{{number}}", model="slow")], Dataset.read(rows, name="tickets"), [equals()], name="still asking", concurrency=1)
running
"""
