"""What keys look like that are in no list of known ones: the prefixes of providers, and what
follows a name such as `password`.

A text is looked at as it is written, which may be JSON in JSON: a key may follow an escape such as
`\\n`, and no shape reaches over a quote or takes a part of an escape, so that JSON stays JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .late_pattern import late_pattern

__all__ = ["HIDDEN", "HINT", "SHAPES", "hidden_unless_data", "hide_shapes"]

HIDDEN = "[redacted]"

# The prefixes that providers give their keys, each with the characters that follow it. Sources: the
# providers' own pages and the rule lists of open secret scanners.
_W = r"[A-Za-z0-9_\-]"
_A = "[A-Za-z0-9]"
_D = rf"(?={_W}{{0,80}}[0-9])"  # a key holds a digit; words that begin like one do not
_PREFIXED = (
    rf"(?:sk|rk|pk|ak)[-_]{_D}{_W}{{12,}}",
    rf"(?:gsk|hf|xai|r8|sk|rk)[-_](?:proj-|ant-|svcacct-|admin-|or-|lf-)?{_A}{{16,}}",
    rf"(?:gsk|xai|hf|r8|fw|pplx|nvapi|tvly|phc|phx|sbp|ntn|csk|figd|glc|glsa|sntrys|sntryu|tfp"
    rf"|rubygems|shpat|shpca|shppa|shpss|whsec|hvs|hvb|hvr|lsv2|pscale|PMAK|NRAK|NRII|NRJS|CLOJARS"
    rf"|EZAK|EZTK|HRKU|fo1|fm1|fm2|dckr|doo|dop|dor|tskey|xapp|sq0atp|sq0csp|sq0idp|pypi|jina"
    rf"|shippo|duffel|fio|AGE-SECRET-KEY|vercel|lin|npm|pnu|pul|prefect|pcsk|nfp|rnd|hcaik|xaat"
    rf"|xkeysib|CCIPAT|access-(?:sandbox|development|production)|pat-(?:na|eu|ap)[0-9])"
    rf"(?:[-_.](?:pat|api|oauth|v1|v2|tkn|pw|live|test|AA|pt|sk|auth|client|u))"
    rf"*[-_.]{_D}{_W}{{16,}}",
    rf"(?:secret|api|key|pa|ops|together|co|token|fc|e2b|nk|as|sgp|bkua|vcp|dg|esecret|tgp_v1|llx"
    rf"|sb_secret|bt-st|napi)[-_](?={_A}{{0,80}}[0-9]){_A}{{20,}}",
    rf"(?:GOCSPX-|1//0|GR1348941|snyk_uat\.|AKCp|dt0[cs]01\.){_D}{_W}{{20,}}(?:\.{_W}{{20,}})?",
    rf"{_A}{{3}}[0-9]Q~[A-Za-z0-9_.~\-]{{30,}}",
    r"[0-9a-f]{32}-us[0-9]{1,2}\b",
    rf"[MNO]{_A}{{23,25}}\.{_W}{{6}}\.{_W}{{27,40}}",
    rf"(?:dapi|LTAI){_D}{_A}{{16,}}",
    rf"gh[pousr]_{_A}{{20,}}",
    rf"github_pat_{_W}{{20,}}",
    rf"gl(?:pat|dt|rt|cbt|ptt|ft|imt|oas|soat|agent|ffct|wt)-{_W}{{16,}}",
    r"A[KSBGI][IPR][AO][0-9A-Z]{12,}",
    rf"AIza{_W}{{20,}}",
    rf"ya29\.{_W}{{16,}}",
    r"xox[abeprs]-[A-Za-z0-9\-]{10,}",
    rf"SG\.{_W}{{12,}}\.{_W}{{12,}}",
    r"(?:AC|SK)[0-9a-f]{32}",
    rf"EAA[A-Z]{_A}{{20,}}",
    rf"ATATT3{_W}{{20,}}|ATCTT3{_W}{{20,}}|ATBB{_A}{{20,}}",
    rf"{_A}{{10,20}}\.atlasv1\.{_W}{{30,}}",
    rf"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z_]{{1,20}}\.)?{_W}{{16,}}",
    rf"pat{_A}{{14}}\.[0-9a-f]{{32,}}",
    rf"dG9r{_W}{{16,}}",
    r"(?:bot)?[0-9]{8,10}:AA[A-Za-z0-9_\-]{32,34}",
    rf"AAAA{_W}{{7}}:APA91b{_W}{{40,}}",
    rf"s\.{_A}{{24}}",
    r"v1\.0-[0-9a-f]{20,}-[0-9a-f]{60,}",
    rf"eyJ{_W}{{10,}}\.{_W}{{10,}}\.{_W}{{5,}}",
)
_ESCAPED = r"[nrtbf]|u[0-9a-fA-F]{4}"
_LETTER = re.compile(_ESCAPED)
# where a key may begin: not in a word; not with the letter of an escape, but right after it. Behind
# two backslashes that letter may be either.
_START = (
    rf"(?:(?<![A-Za-z0-9_\-\\])|(?<=\\)(?!{_ESCAPED})|(?<=\\\\)"
    r"|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"
)
_SPACE = r"(?:\s|\\+[nrt])"
_QUOTE = r"(?:\\*[\"'`]|&(?:quot|apos|#34|#39|#x27);)"

_VALUE = r"(?=[A-Za-z0-9._~+/=\-]{0,200}\d)[A-Za-z0-9._~+/=\-]{12,}+(?!\()"  # no call of a function
# a key of letters alone, in quotes; placeholders ("YOUR_KEY", "your-key") are not matched
_LETTERS = (
    r"(?!(?i:your|my|the|insert|enter|replace|example|sample|test|dummy|placeholder|changeme|x{4}))"
    r"[A-Za-z]{20,}(?=\\*[\"'`])"
)
# what nobody writes by hand: small letters, capitals, and two digits that do not follow each other
_MIXED = (
    r"(?=[A-Z0-9]{0,80}[a-z])(?=[a-z0-9]{0,80}[A-Z])(?=[A-Za-z]{0,80}[0-9]+[A-Za-z]{1,80}[0-9])"
    r"[A-Za-z0-9]{16,}+(?![\w\-./(])"
)


def _foreign(*words: str) -> str:
    """The words in their own letters, and as JSON may write these."""
    return "|".join(
        r"\\*".join(char if char.isascii() else rf"(?:{char}|\\u{ord(char):04x})" for char in word)
        for word in words
    )


_FOREIGN = _foreign("contraseña", "пароль", "密码", "密碼", "パスワード", "비밀번호")
# not a key, but the number of a form or a payment: "Prior authorization: PA-2024-0012345"
_NUMBER = r"[^a-z0-9]{1,8}[a-z]{0,2}[-#]{0,2}\d[\d\-]{0,60}(?![\w.~+/=\-])"
_PASSWORDS = r"(?:passw(?:or)?d|passwort|kennwort|pwd)"
_NAMES = (
    rf"(?:api[-_ ]?key|secret(?:[-_ ]?(?:access[-_ ]?)?key)?|passw(?:or)?d|passphrase"
    r"|access[-_]?token|auth[-_]?token|refresh[-_]?token|client[-_]?secret|private[-_]?key"
    r"|(?:account|shared[-_]?access|encryption|signing|master|subscription|license|storage)[-_]?key"
    r"|(?:api|secret|session|security|bot|id|ci|deploy|server|user|push|app)[-_]token"
    rf"|authorization(?!{_NUMBER})|credentials?|passwort|kennwort|mot de passe|contrasena|senha"
    rf"|{_FOREIGN}"
    r"|[-_](?:auth|pass|pat|pwd|pw|secret))"
)
# between a name and its value; `{"name": "api_key", "value": "..."}` too
_SET = (
    rf"(?:{_QUOTE}?{_SPACE}*(?::?=>?|:|&gt;|>|%3d){_SPACE}*b?{_QUOTE}{{0,3}}"
    rf"|(?:{_SPACE}|,|{_QUOTE}){{1,40}}value{_QUOTE}?{_SPACE}*[:=]{_SPACE}*{_QUOTE}?)"
)
_NAMED = rf"{_NAMES}{_SET}(?:(?:basic|bearer|token|apikey) +)?"
_LOGIN = (  # how programs are given a password
    r"(?:curl\b[^|]{0,300}?\s(?:-u|-U|--user|--proxy-user|-a|--auth)[ =]?"
    rf"{_QUOTE}?[^\s:\"'`\\]{{1,64}}:"
    r"|(?:sshpass|mysql(?:dump|admin)?|mariadb|docker login|redis-cli)\b[^|]{0,200}?\s-[pa] ?)"
)
_BLOCK = r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_DATA = re.compile(r"[A-Za-z0-9+/]*")
_DATA_FROM = 400  # characters: no provider's key is as long without "-", "_" or "."


def hidden_unless_data(match: re.Match[str]) -> str:
    """The key is hidden, unless it is a piece of a long base64 text: a megabyte of an image holds
    the beginnings of keys by chance, and must stay as it is.
    """
    end, text = match.end(), match.string
    after = _DATA.match(text, end, end + _DATA_FROM)
    before = _DATA.match(text[max(0, match.start() - _DATA_FROM) : match.start()][::-1])
    around = (len(before[0]) if before else 0) + (len(after[0]) if after else 0)
    inside = _DATA.fullmatch(match[0]) is not None
    if inside and around + len(match[0]) >= _DATA_FROM:
        return match[0]
    escaped = _LETTER.match(match[0]) if text.endswith("\\", 0, match.start()) else None
    return (escaped[0] if escaped else "") + HIDDEN


SHAPES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # the secret half of a pair, which has no shape of its own, beside the half that has
    (
        late_pattern(
            rf"({_START}A[KS]IA[0-9A-Z]{{16}}[^A-Za-z0-9](?s:.){{0,120}}?"
            r"(?:(?<![A-Za-z0-9+/=\\])|(?<=\\[nrt])))"
            r"(?=[A-Za-z0-9+/]{0,39}[a-z])(?=[A-Za-z0-9+/]{0,39}[A-Z])"
            r"[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])"
        ),
        rf"\1{HIDDEN}",
    ),
    (late_pattern(rf"{_START}(?:{'|'.join(_PREFIXED)})"), hidden_unless_data),
    # tokens of three parts that follow other characters of their alphabet
    (
        late_pattern(rf"(?<!{_W})(?>({_W}*?\b)eyJ){_W}{{10,}}+\.{_W}{{10,}}+\.{_W}{{5,}}"),
        rf"\1{HIDDEN}",
    ),
    # a private key: all to its end, or, where that is missing, the lines that look like one
    (
        late_pattern(
            rf"{_BLOCK}[^\"-]{{0,20000}}(?:-(?!----)[^\"-]{{0,20000}}){{0,50}}"
            r"-----END [A-Z ]{0,40}-----"
            rf"|(?:{_BLOCK}|Private-Lines: [0-9]{{1,3}})(?:{_SPACE}*[A-Za-z0-9+/=]{{16,}})+"
        ),
        HIDDEN,
    ),
    (
        late_pattern(
            r"(?i)((?:hooks\.slack\.com\\*/(?:services|workflows|triggers)"
            r"|discord(?:app)?\.com\\*/api\\*/(?:v[0-9]{1,2}\\*/)?webhooks"
            r"|(?:outlook|webhook)\.office\.com\\*/webhook[a-z0-9]{0,4}"
            r"|hooks\.zapier\.com\\*/hooks\\*/catch"
            r"|chat\.googleapis\.com\\*/v1\\*/spaces)\\*/)"
            r"[A-Za-z0-9_\-]{1,200}(?:\\*/[A-Za-z0-9_\-]{0,200}){0,9}"
        ),
        lambda found: found[0] if len(found[0]) - len(found[1]) < 12 else f"{found[1]}{HIDDEN}",
    ),
    (late_pattern(r"(://)[^/\s:@\"'\\]{0,200}:[^/\s\"'\\]{3,}(?=@)"), rf"\1{HIDDEN}"),
    (late_pattern(r"(://)[A-Za-z0-9_\-]{24,}(?=@)"), rf"\1{HIDDEN}"),  # a DSN whose user is the key
    (
        late_pattern(
            rf"(?i)((?:\b|(?<=\\[nrt]))(?:bearer|basic) +)(?:{_VALUE}|(?!your)[A-Za-z]{{24,}})"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        late_pattern(
            r"(?i)([?&;](?:api[-_]?key|key|sig|signature|token|access_token|auth|password|pwd|pass"
            r"|secret"
            r"|AccountKey|SharedAccessKey|X-Amz-Signature)=)[A-Za-z0-9%._~+/\-]{8,}=*"
        ),
        rf"\1{HIDDEN}",
    ),
    (late_pattern(rf"(?i)({_NAMED})(?:{_VALUE}|(?<=[\"'`]){_LETTERS})"), rf"\1{HIDDEN}"),
    (
        late_pattern(
            rf"(?i)((?:set-)?cookie{_SET}(?:[\w.\-]{{1,60}}=[^;\s\"'\\]{{0,11}}; ){{0,9}}"
            rf"[\w.\-]{{1,60}}=){_VALUE}"
        ),
        rf"\1{HIDDEN}",
    ),
    # a short password has a letter and a digit
    (
        late_pattern(
            rf"(?i)({_PASSWORDS}{_SET})(?!~?/[\w.\-]+/)"
            rf"(?=[^\s\d]{{0,40}}\d)(?=[\d!-/:-@]{{0,40}}[a-z])"
            r"[\w!#%*+\-./:=?@^~$|]{8,64}+(?![\w(\[{])"
        ),
        rf"\1{HIDDEN}",
    ),
    # weaker names, and names without a sign, only before what no word looks like
    (
        late_pattern(
            rf"((?:(?i:token|{_NAMES}|[^a-z]auth)|_KEY)(?:{_SET}|{_SPACE}+(?:is:? +)?)){_MIXED}"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        late_pattern(
            rf"(?i)([\[(]b?{_QUOTE}[\w\-]{{0,40}}?(?:{_NAMES}|token){_QUOTE}, ?b?{_QUOTE})"
            rf"{_VALUE}(?={_QUOTE}[\])])"
        ),
        rf"\1{HIDDEN}",
    ),
    (late_pattern(rf"({_LOGIN})(?![$<{{]|[0-9]+\s)[^\s\"'`\\]{{6,}}"), rf"\1{HIDDEN}"),
)

# A linear pass that finds every text which a shape above might match; most texts end here. It is
# made of the shapes themselves, without what looks ahead: ids, names of models and counts of
# tokens, which every row has, must not begin the long search.
_AHEAD = re.compile(r"\(\?=[^()]*\)")


def _both_cases(pattern: str) -> str:
    """One by one, which is a third of the time that `(?i:...)` takes."""
    return re.sub("[a-z]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", pattern)


def _with_digit(sign: str) -> str:
    """Eight of these characters or more, with a digit."""
    early = [rf"{sign}{{{place}}}[0-9]{sign}{{{7 - place}}}" for place in range(8)]
    return "|".join([*early, rf"{sign}{{8,200}}[0-9]"])


_STEMS = _both_cases(
    "key|token|secret|pass(?:word|wd|wort|phrase|e)?|pwd?|auth(?:orization)?|pat|credentials?"
    "|kennwort|contrasena|senha|-Lines",
)
# Without what ends a value: neither a word of a sentence nor "key": "k1:...", which every row has.
_WITH_DIGIT = _with_digit(r"[!#-&(-9;-\[\]-_a-~]")
_PASSWORD = _with_digit(r"[!#-&(-\[\]-_a-~]")  # which may have a colon
HINT = (
    rf"\b(?:{'|'.join(_AHEAD.sub('', each) for each in _PREFIXED)})"
    rf"|\\(?:{_ESCAPED})(?:{'|'.join(_AHEAD.sub('', each) for each in _PREFIXED)})"
    rf"|(?:{_STEMS}|{_FOREIGN})"
    rf"(?:[^A-Za-z]{{1,12}}(?:is |b[^A-Za-z0-9]{{0,4}}|value[^a-z]{{1,12}})?|(?i:{_SET}))"
    rf"(?i:(?:basic|bearer|token|apikey) +)?(?:{_WITH_DIGIT}|[A-Za-z]{{20}})"
    rf"|{_both_cases(_PASSWORDS)}(?i:{_SET})(?:{_PASSWORD})"
    r"|[Cc]ookie[^a-z]"
    r"|[Bb](?i:earer|asic) +[A-Za-z0-9._~+/=\-]{12}|eyJ[A-Za-z0-9_-]{10}|PRIVATE KEY"
    r"|://[^/\s]{3,}@|[Ww](?i:ebhook)|[Hh](?i:ooks\.(?:zapier|slack))|/spaces/"
    r"|[?&;](?i:[a-z_-]*key|sig|signature|token|access_token|auth|password|pwd|pass|secret"
    r"|x-amz-signature)="
    r"|(?:curl|sshpass|mysql[a-z]{0,5}|mariadb|docker login|redis-cli)[^a-z:]"
).encode()


def hide_shapes(text: str) -> str:
    """The text without whatever has the shape of a key or follows the name of one."""
    for pattern, replacement in SHAPES:
        text = pattern.sub(replacement, text)
    return text
