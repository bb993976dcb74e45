"""The language of a text, by its script and its most common words: the same answer on any machine,
with no model.

Scripts that one of the known languages has for its own decide at once. Languages that share a
script are told apart by words and letters that are frequent in one and rare in its neighbours; a
text with none of them is of no known language. Good for answers of a sentence or more, which is
what an instruction about language asks of.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

__all__ = ["LANGUAGES", "language_of"]

_READ = 20_000  # characters; more of a text says nothing new of its language

# first word of the Unicode name of a letter -> the language, where only one of the known ones is
# written so
_SCRIPTS = {
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "THAI": "th",
    "HEBREW": "he",
    "GREEK": "el",
    "BENGALI": "bn",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "TAMIL": "ta",
    "TELUGU": "te",
    "CJK": "zh",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
}

# language -> (script, letters that mark it, frequent words)
_WORDS: dict[str, tuple[str, str, str]] = {
    "en": ("LATIN", "", "the of and to in is that it for was on are with as his they be at this have from or had by but not what all were we when your can said there use an each which she do how their if will up about out many then them these so some her would make like him into time has look more write go see no way could people my than first been who its now find long down day did get come made may part i you he me our please here's dear"),
    "de": ("LATIN", "äöüß", "der die das und ist nicht ein eine zu den mit von für auf dem des im sich auch es an als wie bei nach oder aus wird sind kann werden haben ich sie wir ihr einen einem einer durch wenn aber noch nur über so zum zur hat war uns dass man sein mehr"),
    "fr": ("LATIN", "àâçèéêëîïôùûœ", "le la les des et est une un du en que qui dans pour pas sur au avec ce il elle nous vous je ne se sont plus par mais ou ont être cette aux son sa ses leur votre notre avez fait comme tout très peut c'est d'un d'une qu'il"),
    "es": ("LATIN", "ñ¿¡áíóú", "el la los las de que y en un una es por con para del se al lo como más pero su sus sin sobre este esta son muy también hay ser puede ya entre cuando todo nos usted ha han porque donde yo mi fue está"),
    "pt": ("LATIN", "ãõçêâ", "o a os as de que e em um uma é por com para do da dos das se ao não mais como mas seu sua sem sobre este esta são muito também você há ser pode já entre quando tudo nos foi está ou na no nas nos pelo pela isso"),
    "it": ("LATIN", "àèìòù", "il lo la gli le di che e in un una è per con del della dei delle si al non più come ma suo sua senza questo questa sono molto anche essere può quando tutto ci ha hanno nel nella alla dal dalla i ed o perché mi ti se cui"),
    "nl": ("LATIN", "", "de het een en van is niet dat op te zijn met voor die in er aan ook als maar om bij naar uit kan wordt worden hebben ik je wij jullie deze dit zij hij door over nog wel geen meer heeft u uw"),
    "sv": ("LATIN", "åäö", "och att det är en som på för av med den till inte har jag de om ett var vi kan men från så när eller du man ska sig också vara"),
    "da": ("LATIN", "æøå", "og at det er en som på for af med den til ikke har jeg de om et var vi kan men fra så når eller du man skal sig også være hvad"),
    "no": ("LATIN", "æøå", "og at det er en som på for av med den til ikke har jeg de om et var vi kan men fra så når eller du man skal seg også være hva"),
    "fi": ("LATIN", "äö", "ja on ei se että en hän joka kun niin mutta ovat myös tai oli jos kuin minä sinä me he tämä mitä voi olla sen ole vain hyvin sekä kanssa voit joita jotka mukaan sinun minun tässä"),
    "et": ("LATIN", "õäöü", "ja on ei see et ma ta mis kui aga ka või oli nii meie nad seda selle oma mida kes võib olla ning"),
    "pl": ("LATIN", "ąćęłńśźż", "i w nie na się z że do to jest jak o za od po dla ale są przez czy jego tylko być może oraz który która które ich także przy lub jako co ma ze pan już"),
    "cs": ("LATIN", "ěščřžýůť", "a je se na v že to do s z pro ale jako by si jsou tak za po jeho když nebo které který jsem není být má od co ve také"),
    "sk": ("LATIN", "ľščťžýôŕ", "a je sa na v že to do s z pre ale ako by si sú tak za po jeho keď alebo ktoré ktorý som nie byť má od čo vo aj"),
    "hr": ("LATIN", "čćđšž", "i je u se na da za su od s kao ali ne bi koji koja koje ili što to iz po biti te samo može nije sve"),
    "sl": ("LATIN", "čšž", "in je v se na da za so od s kot ali ne bi ki pa tudi iz po biti ter samo lahko ni vse"),
    "ro": ("LATIN", "ăâîșțşţ", "și de în la cu un o este pe care nu se să din pentru mai ca sunt prin fi sau dar ale al a lui că au fost acest această"),
    "hu": ("LATIN", "őűáéíóöúü", "a az és hogy nem is egy van ez de meg csak mint vagy volt már ha el kell ki minden lehet fel azt"),
    "tr": ("LATIN", "ğışçöü", "ve bir bu için ile de da çok olarak daha gibi en var ne olan ama kadar sonra her ya değil ben sen biz mi ki olduğunu"),
    "vi": ("LATIN", "ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", "và của là có không cho các được một người trong với những này đã để khi từ đến về cũng như tôi bạn ra nhiều sẽ nếu hoặc trên đó"),
    "id": ("LATIN", "", "yang dan di ini itu dengan untuk tidak dari dalam akan pada juga saya ke karena ada mereka sudah kita oleh bisa lebih atau anda adalah seperti dapat"),
    "sw": ("LATIN", "", "na ya wa kwa ni katika za la kuwa cha kama hii hiyo au si pia yake wake ili kwamba sana watu hivyo lakini mimi wewe yeye sisi kila zaidi vya hayo ambayo baada kabla moja wakati yako"),
    "so": ("LATIN", "", "iyo oo ka ku u ah in waa la soo uu waxaa ay si leh kale aan isku dadka badan"),
    "ca": ("LATIN", "çàèéíïòóúü", "el la els les de que i en un una és per amb del es al no més com però seu seva aquest aquesta són molt també ha dels"),
    "tl": ("LATIN", "", "ang ng sa na mga at ay ito siya ako ka hindi para kung isang may niya nila din rin"),
    "ru": ("CYRILLIC", "ыэё", "и в не на что я с он как это по но к из у за вы так же от о для мы его то все она был быть если или есть только также вас может при"),
    "uk": ("CYRILLIC", "іїєґ", "і в не на що я з він як це та до у за ви так від про для ми його то все вона був бути якщо або є тільки також може при їх"),
    "bg": ("CYRILLIC", "ъ", "и в не на че аз с той като това по но към от у за вие така се да са си е ще който която които или има само също може при ми"),
    "mk": ("CYRILLIC", "ѓќѕљњџј", "и во не на што јас со тој како ова по но кон од за вие така се да се е ќе кој која кои или има само исто може"),
    "sr": ("CYRILLIC", "ђћљњџј", "и у не на да је се за су од са као али који која које или што то из по бити само може није"),
    "hi": ("DEVANAGARI", "", "है और के में की से को का यह हैं कि एक पर नहीं भी इस लिए हो था जो करने आप या तो ही अपने साथ किया कर सकते बहुत मैं हम"),
    "mr": ("DEVANAGARI", "ळ", "आहे आणि या एक तो ते ही मध्ये आहेत साठी नाही असे आपल्या तुम्ही करण्यासाठी होते त्या किंवा त्यांच्या करा मी आपण केले त्याच्या आम्ही हे होता"),
    "ne": ("DEVANAGARI", "", "छ र को मा यो हो पनि लागि गर्न छन् भने गर्नुहोस् एक यस तपाईं तपाईंको छैन थियो भएको गर्ने हुन्छ साथ गरेको तथा वा म हामी धेरै हुनेछ"),
    "ar": ("ARABIC", "ةىأإ", "في من على إلى أن هذا هذه التي الذي مع عن ما لا كان هو هي أو كما قد بين كل بعد ذلك لم إن يمكن حيث عند أنا نحن يتم"),
    "fa": ("ARABIC", "پچژگکی", "و در به از که این را با است برای آن یک می های خود تا شما بر هم یا نیز باید اما ما او هر شود کرد بود دارد کنید"),
    "ur": ("ARABIC", "ٹڈڑںےہھ", "کے میں کی ہے اور سے کا کو یہ پر کہ ہیں ایک نے بھی اس نہیں ہو لیے آپ جو تھا تو کر اپنے یا ساتھ گیا وہ ہم"),
}  # fmt: skip

LANGUAGES = tuple(sorted({*_WORDS, *_SCRIPTS.values()}))
_TABLE = {
    language: (script, frozenset(marks), frozenset(words.split()))
    for language, (script, marks, words) in _WORDS.items()
}
_WORD = re.compile(
    r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?(?:[\u0900-\u0dff\u0e00-\u0e7f\u0300-\u036f\u064b-\u0655\u200c\u200d][^\W\d_]*)*"
)


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of the language that most of the text is in; "" where no known one; None
    without any letter.
    """
    head = unicodedata.normalize("NFC", text[:_READ])
    scripts = Counter(_script(letter) for letter in head if letter.isalpha())
    if not scripts:
        return None
    if scripts["HIRAGANA"] + scripts["KATAKANA"] > 0.1 * sum(scripts.values()):
        return "ja"  # Chinese characters stand beside kana
    script = scripts.most_common(1)[0][0]
    if script in _SCRIPTS:
        return _SCRIPTS[script]
    return _closest(head.lower().replace("\u2019", "'"), script)


def _closest(text: str, script: str) -> str:
    words = Counter(_WORD.findall(text))
    letters = Counter(text)
    total = sum(words.values()) or 1
    best, most = "", 0.0
    for language, (written, marks, frequent) in _TABLE.items():
        if written != script:
            continue
        known = sum(count for word, count in words.items() if word in frequent)
        marked = sum(letters[mark] for mark in marks)
        foreign = sum(
            count
            for letter, count in letters.items()
            if letter in _MARKS[script] and letter not in marks
        )
        points = (known + 0.5 * min(marked, 2 * total) - 0.7 * min(foreign, total)) / total
        if points > most:
            best, most = language, points
    return best


def _script(letter: str) -> str:
    if letter.isascii():
        return "LATIN"
    return unicodedata.name(letter, "?").partition(" ")[0].partition("-")[0]


_MARKS = {
    script: frozenset(
        letter for _, marks, _ in _WORDS.values() for letter in marks if _script(letter) == script
    )
    for script in ("LATIN", "CYRILLIC", "DEVANAGARI", "ARABIC")
}
