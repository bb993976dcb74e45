"""The 25 kinds of instruction that a program can check, strict and loose, by name and arguments as
a dataset's row has them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import ScorerError
from promptops.score import Score
from promptops.scorers import instruction, instructions, try_out
from promptops.scorers.ifeval_kinds import KINDS
from promptops.scorers.language import language_of, languages
from promptops.scorers.sentences import sentences, tokens

# kind -> (arguments, texts that follow, texts that do not)
CASES: dict[str, list[tuple[dict[str, Any], list[str], list[str]]]] = {
    "keywords:existence": [
        (
            {"keywords": ["Refund", "c++"]},
            ["A refund in C++", "refunds, c++"],
            ["a refund", "", "c+"],
        )
    ],
    "keywords:frequency": [
        ({"keyword": "go", "frequency": 2, "relation": "at least"}, ["go GO", "gogo"], ["go"]),
        ({"keyword": "go", "frequency": 2, "relation": "less than"}, ["go", "none"], ["go, go"]),
    ],
    "keywords:forbidden_words": [
        ({"forbidden_words": ["cat", "dog"]}, ["concatenate", "a dogma"], ["A CAT.", "my dog"])
    ],
    "keywords:letter_frequency": [
        ({"letter": "E", "let_frequency": 3, "let_relation": "at least"}, ["eEe"], ["ee"]),
        ({"letter": "!", "let_frequency": 1, "let_relation": "less than"}, ["calm"], ["loud!"]),
    ],
    "language:response_language": [
        (
            {"language": "de"},
            ["Das ist ein Satz, der auf Deutsch geschrieben ist."],
            ["This is a sentence in English."],
        ),
        (
            {"language": "hi"},
            ["कुत्ता इंसान का सबसे अच्छा दोस्त है।"],
            ["कुत्रा हा माणसाचा सर्वात चांगला मित्र आहे."],
        ),
        (
            {"language": "en"},
            ["123 456"],
            ["Это предложение на русском языке."],
        ),  # without letters there is no language to be wrong
    ],
    "length_constraints:number_sentences": [
        (
            {"num_sentences": 2, "relation": "at least"},
            ["One. Two.", "Why? Because! Yes."],
            ["One.", "Dr. Lee is here"],
        ),
        (
            {"num_sentences": 2, "relation": "less than"},
            ["Only one", "At 3.5 km, e.g. here"],
            ["One. Two."],
        ),
    ],
    "length_constraints:number_paragraphs": [
        ({"num_paragraphs": 2}, ["a\n***\nb", "***a***b***"], ["a", "a *** b *** c", "a***\n***b"]),
        ({"num_paragraphs": 1}, ["a"], ["a***b"]),
    ],
    "length_constraints:number_words": [
        ({"num_words": 3, "relation": "at least"}, ["one two three", "it's me"], ["one two"]),
        ({"num_words": 3, "relation": "less than"}, ["one two"], ["one-two-three"]),
    ],
    "length_constraints:nth_paragraph_first_word": [
        (
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Hello"},
            ["One\n\nHello, you", "One\n\n'hello' there", 'One\n\n"HELLO!" he said'],
            ["Hello\n\nOne", "One\n\nHello\n\nThree", "One", "One\n\n\n\nHello"],
        ),
        ({"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "x"}, [], ["a\n\nb"]),
    ],
    "detectable_content:number_placeholders": [
        ({"num_placeholders": 2}, ["[name] of [city]", "[a][b][c]"], ["[name]", "[name\n] [x]"])
    ],
    "detectable_content:postscript": [
        ({"postscript_marker": "P.S."}, ["Bye\nP.S. more", "bye p. s. more"], ["Bye\nPS more"]),
        ({"postscript_marker": "P.P.S"}, ["Bye\nP.P.S more", "p. p. s"], ["Bye\nP.S. more"]),
        ({"postscript_marker": "NB:"}, ["nb: more"], ["no"]),
    ],
    "detectable_format:number_bullet_lists": [
        (
            {"num_bullets": 2},
            ["* a\n* b", "- a\n * b", "Points:\n- a\n- b"],
            ["* a", "* a\n* b\n* c", "** a\n* b"],
        )
    ],
    "detectable_format:constrained_response": [
        ({}, ["My answer is yes.", "So: My answer is maybe. Sorry"], ["Yes.", "my answer is yes."])
    ],
    "detectable_format:number_highlighted_sections": [
        (
            {"num_highlights": 2},
            ["*a* and *b*", "**a** *b*", "*a* **b c**"],
            ["*a*", "** ** *a*", "*a\nb*"],
        )
    ],
    "detectable_format:multiple_sections": [
        (
            {"section_spliter": "Section", "num_sections": 2},
            ["Section 1\na\nSection 2\nb", "Section1 Section2"],
            ["Section 1\na", "SECTION 1 SECTION 2"],
        )
    ],
    "detectable_format:json_format": [
        (
            {},
            ['{"a": 1}', '```json\n{"a": 1}\n```', "```\n[1]\n```", "3"],
            ["{a: 1}", "Here: {}", "```json\n{"],
        )
    ],
    "detectable_format:title": [
        ({}, ["<<Poem>>\ntext", "a <<b c>> d"], ["<Poem>", "<<>>", "<< >>", "<<a\nb>>"])
    ],
    "combination:two_responses": [
        (
            {},
            ["a\n******\nb", "******a******b******"],
            ["a", "a******a", "a******b******c", "a******  ******b"],
        )
    ],
    "combination:repeat_prompt": [
        (
            {"prompt_to_repeat": "Say hi."},
            ["Say hi. Hi!", " say HI.\nHi"],
            ["Hi. Say hi.", "Say, hi."],
        )
    ],
    "startend:end_checker": [
        (
            {"end_phrase": "Any questions?"},
            ["So. Any questions?", 'So. any QUESTIONS?"  '],
            ["Any questions? No."],
        )
    ],
    "startend:quotation": [({}, ['"all of it"', ' "" '], ['"half', "all", '"'])],
    "change_case:capital_word_frequency": [
        (
            {"capital_frequency": 2, "capital_relation": "at least"},
            ["YES and NO", "DON'T"],
            ["Yes NO"],
        ),
        (
            {"capital_frequency": 2, "capital_relation": "less than"},
            ["yes NO", "WELL-KNOWN"],
            ["YES NO", "A,B"],
        ),
    ],
    "change_case:english_capital": [
        (
            {},
            ["THIS IS THE TEXT OF A LETTER TO YOU", "HELLO WORLD"],
            ["THIS IS Not", "DAS IST EIN SATZ UND NICHT ZU LANG", "123"],
        )
    ],
    "change_case:english_lowercase": [
        (
            {},
            ["this is the text of a letter to you", "hello world"],
            ["This is it", "das ist ein satz und nicht zu lang", "123"],
        )
    ],
    "punctuation:no_comma": [({}, ["no comma; none"], ["well, no"])],
}
FLAT = [
    (kind, arguments, text, True)
    for kind, cases in CASES.items()
    for arguments, good, _ in cases
    for text in good
]
FLAT += [
    (kind, arguments, text, False)
    for kind, cases in CASES.items()
    for arguments, _, bad in cases
    for text in bad
]


def judge(scorer: Any, output: str, **columns: Any) -> Score:
    found = try_out(scorer, output, **columns)
    assert isinstance(found, Score)
    return found


def test_all_25_kinds_are_tested() -> None:
    """There are 25 kinds, and each has cases of both verdicts."""
    assert len(KINDS) == 25
    assert set(CASES) == set(KINDS)
    for kind in KINDS:
        verdicts = {follows for name, _, _, follows in FLAT if name == kind}
        assert verdicts == {True, False}, kind


@pytest.mark.parametrize(
    ("kind", "arguments", "text", "follows"), FLAT, ids=lambda value: str(value)[:30]
)
def test_strict(kind: str, arguments: dict[str, Any], text: str, follows: bool) -> None:
    """Each kind is followed as the published definition says, and a failed one is named with its
    arguments.
    """
    found = judge(instruction(kind, **arguments), text)
    assert found.passed is follows
    if not follows:
        assert found.reason.startswith(f"does not follow {kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_answer_follows_nothing(kind: str) -> None:
    """Silence is no way to avoid commas."""
    for arguments, _, _ in CASES[kind]:
        for text in ("", " \n\t"):
            assert not judge(instruction(kind, **arguments), text).passed
            assert not judge(instruction(kind, loose=True, **arguments), text).passed


LOOSE = [
    ("startend:end_checker", {"end_phrase": "the end"}, "All good. The end\nHope that helps!"),
    ("startend:quotation", {}, 'Sure:\n"all of it"'),
    ("punctuation:no_comma", {}, "Sure, here it is:\nNo comma\nBye, then"),
    ("change_case:english_lowercase", {}, "Sure!\nthis is the text that you asked for"),
    ("detectable_format:json_format", {}, 'Here it is:\n{"a": 1}\nEnjoy!'),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "- a\n- b"),
    ("startend:end_checker", {"end_phrase": "the end"}, "**The end**"),
]


@pytest.mark.parametrize(("kind", "arguments", "text"), LOOSE)
def test_loose(kind: str, arguments: dict[str, Any], text: str) -> None:
    """The loose criterion takes away a first line, a last line, or asterisks; the strict one does
    not.
    """
    assert not judge(instruction(kind, **arguments), text).passed
    assert judge(instruction(kind, loose=True, **arguments), text).passed


@given(st.text(max_size=80), st.sampled_from(FLAT))
def test_loose_is_never_stricter(text: str, case: tuple[str, dict[str, Any], str, bool]) -> None:
    """Whatever follows strictly follows loosely, on any text; and no text raises."""
    kind, arguments, _, _ = case
    if judge(instruction(kind, **arguments), text).passed:
        assert judge(instruction(kind, loose=True, **arguments), text).passed


WRONG = [
    ("punctuation:no_coma", {}),
    ("keywords:existence", {}),
    ("keywords:existence", {"keywords": "refund"}),
    ("keywords:existence", {"keywords": []}),
    ("keywords:frequency", {"keyword": "a", "frequency": 2, "relation": "at most"}),
    ("keywords:frequency", {"keyword": "a", "frequency": -2, "relation": "at least"}),
    ("keywords:letter_frequency", {"letter": "ab", "let_frequency": 2, "let_relation": "at least"}),
    ("language:response_language", {"language": "xx"}),
    ("length_constraints:number_words", {"num_words": True, "relation": "at least"}),
    ("punctuation:no_comma", {"count": 2}),
]


@pytest.mark.parametrize(("kind", "arguments"), WRONG)
def test_wrong_instructions_are_said_when_built(kind: str, arguments: dict[str, Any]) -> None:
    """An unknown kind, and a missing, unknown or mistyped argument, are refused before any call."""
    with pytest.raises(ScorerError):
        instruction(kind, **arguments)


def test_rows() -> None:
    """A row carries its kinds and arguments as the published dataset does, as lists or as JSON
    text, with None for not given.
    """
    kinds = ["punctuation:no_comma", "length_constraints:number_words", "startend:quotation"]
    arguments = [
        {"num_words": None},
        {"num_words": 3.0, "relation": "at least", "keywords": None},
        None,
    ]
    for given_kinds, given_arguments in (
        (kinds, arguments),
        (json.dumps(kinds), json.dumps(arguments)),
    ):
        found = judge(
            instructions(), "one two three", instruction_id_list=given_kinds, kwargs=given_arguments
        )
        assert found.value == pytest.approx(2 / 3)
        assert found.passed is False
        assert (found.raw_value, found.unit) == (2.0, "of 3")
        assert found.reason == "does not follow startend:quotation"
    assert judge(
        instructions(), '"one two three"', instruction_id_list=kinds, kwargs=arguments
    ).passed
    assert judge(
        instructions(loose=True),
        'Ok:\n"one two three"',
        instruction_id_list=kinds,
        kwargs=arguments,
    ).passed
    assert instructions(column="kinds", arguments="args").needs == ("kinds", "args")


@pytest.mark.parametrize(
    ("kinds", "arguments"),
    [
        (["punctuation:no_comma"], []),
        ([], []),
        ("no json", "[]"),
        (["nope"], [{}]),
        ([3], [{}]),
        (["punctuation:no_comma"], [3]),
        ({"a": 1}, [{}]),
        (["keywords:existence"], [{}]),
    ],
)
def test_rows_that_cannot_be_read_are_unscored(kinds: Any, arguments: Any) -> None:
    """The row is named with what is wrong with it."""
    found = judge(instructions(), "text", instruction_id_list=kinds, kwargs=arguments)
    assert str(found.unscored).startswith("missing instructions: example 'tried': ")


LANGUAGE = {
    "en": "Please find below the summary of the meeting, and let me know if anything is missing.",
    "de": "Bitte beachten Sie, dass die Lieferung morgen bei Ihnen eintrifft.",
    "fr": "La tour Eiffel est un monument célèbre situé à Paris, en France.",
    "es": "El perro es el mejor amigo del hombre y vive con las personas.",
    "pt": "O cachorro é o melhor amigo do homem e vive com as pessoas em casa.",
    "it": "Il cane è il migliore amico dell'uomo e vive con le persone.",
    "nl": "De hond is de beste vriend van de mens en leeft met mensen.",
    "sv": "Hunden är människans bästa vän och den lever med människor.",
    "fi": "Koira on ihmisen paras ystävä ja se asuu ihmisten kanssa.",
    "pl": "Pies jest najlepszym przyjacielem człowieka i mieszka z ludźmi.",
    "cs": "Pes je nejlepší přítel člověka a žije s lidmi již tisíce let.",
    "tr": "Köpek insanın en iyi dostudur ve insanlarla birlikte yaşar.",
    "vi": "Chó là người bạn tốt nhất của con người và sống cùng chúng ta.",
    "sw": "Mbwa ni rafiki mkubwa wa binadamu na anaishi na watu katika nyumba.",
    "ru": "Собака лучший друг человека, и она живёт с людьми.",
    "uk": "Собака найкращий друг людини, і він живе з людьми.",
    "bg": "Кучето е най-добрият приятел на човека и живее с хората.",
    "hi": "कुत्ता इंसान का सबसे अच्छा दोस्त है और वह लोगों के साथ रहता है।",
    "mr": "कुत्रा हा माणसाचा सर्वात चांगला मित्र आहे आणि तो लोकांबरोबर राहतो.",
    "ne": "कुकुर मानिसको सबैभन्दा राम्रो साथी हो र यो मानिससँग बस्छ।",
    "ar": "الكلب هو أفضل صديق للإنسان ويعيش مع الناس في المنزل.",
    "fa": "سگ بهترین دوست انسان است و با مردم زندگی می‌کند.",
    "ur": "کتا انسان کا بہترین دوست ہے اور وہ لوگوں کے ساتھ رہتا ہے۔",
    "he": "הכלב הוא החבר הטוב ביותר של האדם.",
    "th": "สุนัขเป็นเพื่อนที่ดีที่สุดของมนุษย์",
    "ko": "개는 사람의 가장 친한 친구입니다.",
    "ja": "犬は人間の最良の友です。",
    "zh": "狗是人类最好的朋友。",
    "bn": "কুকুর মানুষের সেরা বন্ধু।",
    "gu": "કૂતરો માણસનો સૌથી સારો મિત્ર છે.",
    "pa": "ਕੁੱਤਾ ਮਨੁੱਖ ਦਾ ਸਭ ਤੋਂ ਵਧੀਆ ਦੋਸਤ ਹੈ।",
    "kn": "ನಾಯಿ ಮನುಷ್ಯನ ಉತ್ತಮ ಸ್ನೇಹಿತ.",
    "ta": "நாய் மனிதனின் சிறந்த நண்பன்.",
    "te": "కుక్క మనిషికి మంచి స్నేహితుడు.",
    "ml": "നായ മനുഷ്യന്റെ ഏറ്റവും നല്ല സുഹൃത്താണ്.",
}


@pytest.mark.parametrize("language", LANGUAGE)
def test_language(language: str) -> None:
    """A sentence is recognised, in lower case and capitals too."""
    text = LANGUAGE[language]
    assert language in languages()
    assert language_of(text) == language
    assert language_of(text.upper()) == language


def test_language_of_nothing() -> None:
    """Without letters there is no language; words of no known one give none."""
    assert language_of("") is None
    assert language_of("123 !?") is None
    assert language_of("Xyzzy") == ""


SENTENCES = [
    ("Hello. World!", 2),
    ("Dr. Smith went to the U.S. in Jan. 2020. He stayed.", 2),
    ("Wait... what? Yes... Then no.", 3),
    ("J. K. Rowling wrote it.", 1),
    ('He said "go!" Then he left.', 2),
    ("1. One\n2. Two", 3),
    ("no end", 1),
    ("", 0),
    ("...", 1),
    ("It costs 3.50 at www.example.com. Cheap!", 2),
    ("これは文です。次の文です。", 2),
]


@pytest.mark.parametrize(("text", "count"), SENTENCES)
def test_sentences(text: str, count: int) -> None:
    """Sentences end at . ! ? before white space, but not after titles, initials and
    abbreviations.
    """
    assert len(sentences(text)) == count


@given(st.text())
def test_sentences_lose_nothing(text: str) -> None:
    """The sentences of any text hold all of its letters, in order."""
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


TOKENS = [
    "DON'T DO IT, NOW!",
    "IT'S A-B, C:D 3:A $5 (HELLO) A/B A--B CANNOT I'LL THEY'RE X...Y U.S. A,B 1,000 WE'VE GONNA",
    'A "B" C; [D]',
    "**BOLD** *X*",
]


@pytest.mark.parametrize("text", TOKENS)
def test_tokens_as_the_reference_counts_capitals(text: str) -> None:
    """As many words in capitals as the tokenizer of NLTK finds, which the published definition
    uses.
    """
    tokenizer = pytest.importorskip("nltk.tokenize").NLTKWordTokenizer()
    assert sum(map(str.isupper, tokens(text))) == sum(map(str.isupper, tokenizer.tokenize(text)))


@given(st.text(alphabet="AB'sn t,.:-!(3", max_size=30))
def test_tokens_as_the_reference_on_any_text(text: str) -> None:
    """The same on made-up texts, where no quotation mark decides."""
    tokenizer = pytest.importorskip("nltk.tokenize").NLTKWordTokenizer()
    plain = text.replace("'", "")
    assert sum(map(str.isupper, tokens(plain))) == sum(map(str.isupper, tokenizer.tokenize(plain)))


SHORT = {
    "es": "Gracias, su reembolso está en camino.",
    "tr": "Siparişiniz yola çıktı.",
    "fi": "Tilauksesi on matkalla.",
    "uk": "Ваше замовлення в дорозі.",
    "de": "Ihre Bestellung ist unterwegs.",
    "it": "Il suo rimborso è in arrivo.",
    "pt": "Seu reembolso está a caminho.",
}


@pytest.mark.parametrize("language", SHORT)
def test_short_sentences_are_told_apart(language: str) -> None:
    """Spanish is not called Catalan, Turkish not German, Finnish not English."""
    assert language_of(SHORT[language]) == language
    asked = instruction("language:response_language", language=language)
    others = instruction("language:response_language", language="en")
    assert try_out(asked, SHORT[language]).value == 1.0
    assert try_out(others, SHORT[language]).value == 0.0
    assert asked.version == "2"
