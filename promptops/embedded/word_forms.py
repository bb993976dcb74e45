"""Language basics: words, stems, character pieces and sentences of any text, in time linear in its
length.

What is known here is grammar (endings, function words, how a question opens), never what a label or
a domain means.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["COMMON", "FUNCTION_WORDS", "Token", "sentences", "stem", "tokens", "words"]

Token = str  # a stem, or a cue such as "?ask" that no word can spell

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]{1,3})?|\d[\d.,:/-]*|[?!€$£¥%]", re.UNICODE)
_INTRODUCES = (
    r"my|our|the|i|i['’]?m|is|am|this|as|user(?:name)?|"
    r"account|acct|customer|client|member|ids?|nr|no|number|code|ref|reference|order|ticket|"
    r"case|name|"
    r"profile|usuario|cuenta|utilisateur|compte|konto|kunde|kundennummer|benutzer|nutzer|utente|"
    r"conto|gebruiker|utilizador|conta|kullanıcı|hesap"
)
# an id says nothing about the subject, nor do the words that introduce one: "my account is", "user
# id:"
_CODE = re.compile(
    rf"(?:(?<![\w'’])(?:{_INTRODUCES})[:,.]?[^\S\n]+){{0,4}}["
    rf"(#:-]{{0,2}}[^\S\n]{{0,2}}\b[A-Za-z]{{1,4}}[-_#]\d[\w-]*|(?<!\w)#?[A-Za-z]{{0,8}}\d[\w-]*",
    re.I,
)
_SENTENCE = re.compile(
    r"(?:[^.!?\n…]|[.!?…](?=[^\s.!?…]))+[.!?…]*"
)  # a mark ends it where a space follows
_NUMBER = re.compile(r"\d")


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION_WORDS = _listed(
    # English, and the commonest of German, French, Spanish, Italian, Portuguese and Dutch
    "a an the and or but nor so of to in on at by for from with about into over under after before"
    " between as is am are was were be been being do does did doing have has had having will would"
    " shall should could may might must i me my mine you your yours he him his she her hers it its"
    " we us our ours they them their theirs this that these those there here who whom whose what"
    " which when if then than too very just also only any some all both each such own same other"
    " more most much many few again once s t ve re ll d m hi hello dear hey thanks thank regards"
    " sincerely cheers best please kind der die das den dem des ein eine einen einem einer und oder"
    " aber ist sind war bin habe hat haben wir sie er es ich mir mich mein meine auf aus bei mit"
    " nach von zu zum zur für im in an am als auch noch schon sehr wenn dass wird werden hallo"
    " bitte danke gruß grüße le la les un une des du de et ou mais est sont je j il elle nous vous"
    " ils mon ma mes votre vos ce cette ces que qui dans sur pour par avec sans au aux en y a ai"
    " été bonjour merci cordialement el los las unos unas del al y o pero es son soy yo tú usted"
    " nosotros mi mis su sus este esta esto que en por para con sin se lo le ha he hola gracias"
    " saludos gli uno una di da nel che non ho ha sono mio mia per con grazie ciao os as um uma do"
    " da dos das no na em eu meu minha seu sua não obrigado olá het een van ik je wij mijn met voor"
    " op dat niet"
) - {"when", "which", "what", "non", "não", "niet"}

_NOT = _listed(
    "not no never nothing none cannot cant can't won't wont isn't isnt aren't doesn't doesnt don't"
    " dont didn't didnt wasn't hasn't haven't couldn't wouldn't without nicht kein keine pas sans"
    " no non não niet geen"
)
_ASKS = _listed(
    "how where why which what when can could wie wo wann warum comment où pourquoi cómo como dónde"
    " come dove hoe waar"
)
_ENDINGS = (
    ("ization", "iz"),
    ("isation", "iz"),
    ("ational", "at"),
    ("fulness", "ful"),
    ("iveness", "iv"),
    ("ements", ""),
    ("ement", ""),
    ("ments", ""),
    ("ment", ""),
    ("ations", "at"),
    ("ation", "at"),
    ("ingly", ""),
    ("edly", ""),
    ("ness", ""),
    ("ions", ""),
    ("ings", ""),
    ("ies", "i"),
    ("ied", "i"),
    ("ion", ""),
    ("ing", ""),
    ("ers", ""),
    ("est", ""),
    ("ed", ""),
    ("er", ""),
    ("es", ""),
    ("ly", ""),
    ("s", ""),
)


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The word without its ending, by a short list of English suffixes; words of other languages
    mostly stay as they are.
    """
    word = word.removesuffix("'s").removesuffix("’s")
    for ending, put in _ENDINGS:
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and not (ending == "s" and word.endswith("ss"))
        ):
            word = word[: -len(ending)] + put
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]
    return f"{word[:-1]}i" if len(word) > 3 and word[-1] == "y" else word


# the commonest English words that are no function words: they occur in texts about anything, so
# they tell little
COMMON = frozenset(
    stem(word)
    for word in _listed(
        "able add against ago air allow almost already although always among another anyone"
        " anything appear area around art ask away back bad because begin believe best better big"
        " body book bring build business buy came car case change child city clear come community"
        " company consider continue country create cut day die different door down during early"
        " education eight else end enough even ever every everyone everything expect eye face fact"
        " fall family father few find first five follow force found four free friend full game gave"
        " get girl give given go going good got government great group grow guy half hand happen"
        " hard head health hear help high history home hour house however hundred idea important"
        " include issue job keep kept kill kind knew know large last late law lead learn let level"
        " life like line little live long look lose lot made make man maybe meet member minute"
        " moment money month morning mother move name need never new next nice night nine nothing"
        " now number offer office often old one open others out own parent part party pay people"
        " perhaps person place play point possible power president problem program provide public"
        " put question quite reach read real really reason remain remember research result right"
        " room run said same sans saw say school second see seem seen seit send serve service set"
        " seven show side since sit six small someone something soon speak spend stand state stay"
        " still stop story student study sure system take taken teacher team tell ten then thing"
        " think third though thought three through time today together told tomorrow took tried"
        " true try two understand until up use used using wait walk want war watch water way week"
        " well went while whole win within without woman word work world write wrong year yesterday"
        " yet young "
    )
)


def words(text: str) -> list[str]:
    """The words in lower case, numbers and ids as "#", marks of money and of a question as
    themselves.
    """
    return [
        "#" if _NUMBER.match(word) else word
        for word in _WORD.findall(_CODE.sub(" 0 ", text.lower()))
    ]


def tokens(text: str) -> list[Token]:
    """Stems of the words that carry meaning, in order, and cues: "?not" of a negation, "?ask" of a
    question, "?money".
    """
    found: list[Token] = []
    for word in words(text):
        token = _token(word)
        if token:
            found.append(token)
    return found


@lru_cache(maxsize=20_000)
def _token(word: str) -> Token:
    if word in _NOT:
        return "?not"
    if word in _ASKS or word == "?":
        return "?ask"
    if word in "€$£¥":
        return "?money"
    if word == "!":
        return "?loud"
    if word in FUNCTION_WORDS or word in "#%" or (len(word) < 2 and word.isascii()):
        return ""
    return stem(word)


def sentences(text: str, most: int = 400) -> list[str]:
    """The sentences of a text, stripped, empty ones left out; at most `most`."""
    found = []
    for match in _SENTENCE.finditer(text):
        sentence = match[0].strip()
        if sentence:
            found.append(sentence)
            if len(found) >= most:
                break
    return found
