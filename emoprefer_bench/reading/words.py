"""The words by which answers are read, in groups: each says what its words do to a label that stands near them.

They are English, since the questions are, with the most frequent ones of models that answer in another language.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- Labels and their names ---------------------------------------------------------------------------------------

TEXTS = _words("a1 a2")
LABELS = TEXTS | {"same"}
OTHER = {"a1": "a2", "a2": "a1"}

# "description 2", "the second option": the questions call the texts so, and their order does.
NOUNS = _words(
    "description descriptions text texts option options statement statements caption captions candidate"
    " candidates choice choices version versions response responses"
)
ORDERED = NOUNS | {"one"}
ORDINALS = {"first": "a1", "1st": "a1", "second": "a2", "2nd": "a2"}
NUMBERS = {"1": "a1", "one": "a1", "2": "a2", "two": "a2"}
AFTER_ORDINAL = _words(". ! ? ; , : is fits matches agrees aligns captures seems better wins") | {"\n"}

# --- Sentences ----------------------------------------------------------------------------------------------------

ENDS = _words(". ! ? ; \N{IDEOGRAPHIC FULL STOP}") | {"\n"}
QUESTION = _words("?")
COLONS = _words(": = -")
BULLETS = _words("- | >")

# Words that add nothing to a label: a sentence of them and a label consists of the label.
FILLER = NOUNS | _words(
    """
    a an the my our this that it it's its that's is are was be would will should must has i i'm i'd i'll we we'd am do
    think believe guess say feel find judge go with for choose chosen pick select selected vote answer answers verdict
    conclusion decision preference preferred label output result judgement judgment final finally overall so therefore
    however nevertheless
    thus hence then sure okay ok yes well hmm maybe probably perhaps definitely clearly likely most certainly of course
    here here's please very in as to one json winner better best です だ でした 입니다 이다
    """
)
# And those that stand around a list of labels, which chooses none.
LISTING = FILLER | _words(
    "or and either both between from neither vs vs. versus & nor word words labels possible respond 或 和 与"
    " 或者 还是 と か または 또는 und oder et ou y o e и или"
)
# What stands between alternatives.
SEPARATORS = NOUNS | _words(
    ", : / | & + = ~ - \N{IDEOGRAPHIC COMMA} \N{KATAKANA MIDDLE DOT} \N{ALMOST EQUAL TO}"
    " \N{GREATER-THAN OR EQUAL TO} \N{LESS-THAN OR EQUAL TO} >= <= or and vs vs. versus both either the 或 和 与 或者"
    " 还是 と か または 또는 und oder et ou y o e и или"
)
# What can mean nothing but the label `same`, where no label is named.
TIES = _words("tie draw equal equally tied")
# What may stand in between of "they are the same".
QUITE = _words(
    ", all both about in fact essence effect exactly essentially basically practically virtually nearly almost"
    " really very much roughly quite just pretty equally"
)

# --- Where a verdict is named -------------------------------------------------------------------------------------

NAMES = _words(
    "answer verdict choice conclusion preference decision judgement judgment winner selection pick prediction"
    " output result label response preferred chosen selected better best closer closest respuesta conclusión"
    " réponse antwort ответ вывод resposta risposta jawaban cevap odpowiedź الإجابة الجواب उत्तर"
)
LINKS = _words("is was be : = - => -> \N{RIGHTWARDS ARROW} es est ist è é là adalah هي")
# What may stand between the name and the label.
EASY = LINKS | _words(
    "therefore thus clearly simply definitely likely probably just still that the my would must should will has"
    " to option description text label answer final finale correcta"
)
CHOOSING = _words(
    "choose chooses chose pick picks picked select selects selected prefer prefers preferred favor favors favored"
    " favour favours supports support elijo choisis wähle выбираю escolho scelgo"
)
CHOOSING_WITH = {
    "with": _words("go goes going"),
    "for": _words("go opt opts vote votes"),
    "on": _words("settle settles"),
    "to": _words("points point goes"),
    "toward": _words("lean leans leaning"),
    "towards": _words("lean leans leaning"),
}
SAYING = _words("say said")  # "I'd say a2", but not "I'd say a2 is off"
CLAUSE_ENDS = ENDS | _words(", : - because since as over")
NAMED_IN_CJK = re.compile(
    r"(?:答案|结论|結論|选择?|選択?|判断|判定|回答|正解|答え|答|정답은?|답변?은?|결론은?)(?:应该|應該)?(?:是|为|為|は)?$"
)
ABOVE = _words("> \N{SUCCEEDS}")
BELOW = _words("< \N{PRECEDES}")

# What may stand before a label that opens an answer; the reason that follows it; what turns a remark round.
POLITE = _words("sure certainly okay ok of course yes well final answer verdict")
REASON = _words("because since due given")
REMARK = REASON | _words("it as for not i obviously clearly with definitely")
DENIED = _words("no not wrong incorrect false bad worse less none >")

# --- What is said to be better ------------------------------------------------------------------------------------

# Words between a text and its praise that turn it round, leave it open, or tell what the text says.
TURNS = _words(
    "not never no neither nor hardly rarely seldom from less worse than but while whereas if whether or"
    " because though although"
    " could should might may would need needs must cannot other : , - | > says said say mentions states claims"
    " notes suggests feel feels feeling felt gets getting pas nicht kein keine non não не"
)
PRAISE = _words("better best preferable preferred winner wins mejor meilleur meilleure besser лучше melhor migliore")
# Of the wording, or of what a text tells ("a1 is best described as joy"): not of how well it fits.
NO_PRAISE_BEFORE = _words(
    "if written worded phrased grammar style wording english detail detailed details structured described"
    " summarized characterized explained understood less least"
)
ASIDES = _words("which unlike compared")  # "a1, which mentions joy, is better"
MORE = _words("more")
PRAISE_AFTER_MORE = _words(
    "accurate accurately aligned closely consistent faithful fitting appropriate suitable correct convincing"
    " plausible likely precise precisely"
)
CLOSER = _words("closer closest")
AFTER_CLOSER_TO = _words("the what how this that reality his her their")
UNTRUE = _words("no not false none null 0")
OWN_VERDICT = _words("answer choice verdict pick")  # "a2 is my choice"
WORSE = _words("worse less")
WORST = WORSE | _words("worst least weaker weakest")
PRAISE_IN_CJK = re.compile(
    r"(?:的?描述)?(?:更(?:好|符合|准确|準確|贴切|合适|合適|接近|匹配|吻合|适合|適合|恰当|贴近)|最(?:好|符合|准确|贴切|合适|接近|匹配)"
    r"|の?(?:ほう|方)が(?:良|よ|合|適|正|近|ふさわ))"
)
INSTEAD = (
    *(["not"], ["over"], ["rather", "than"], ["instead", "of"], ["but", "not"]),
    *(["beats"], ["outperforms"], ["surpasses"]),
)
BELOW_OTHER = (
    *(["is", "beaten", "by"], ["is", "outperformed", "by"], ["is", "surpassed", "by"], ["loses", "to"]),
    *(["is", "not", "as", "good", "as"], ["isn't", "as", "good", "as"], ["不如"]),
)
COMPARED = _words("compared unlike than")
# What an answer says of the one text that it speaks well of.
WELL = _words(
    "fit fits fitting match matches agree agrees align aligns aligned corresponds accurate accurately consistent"
    " preferable appropriate convincing"
)

# --- What denies it, and what takes it back -----------------------------------------------------------------------

CONDITIONS = _words("if unless whether depends depending otherwise either")
CONDITIONS_BEHIND = _words("if unless when")
FORCED = _words("i we one you forced pressed")  # "if I had to choose" is no condition
DENIALS = _words(
    "not never neither nor no cannot without hard difficult impossible unable between less least worse worst"
    " weaker weakest loser losing wrong incorrect rejected eliminated excluded discarded except opposite none"
    " hardly rarely seldom не pas nicht kein keine não non"
)
DENIALS_IN_CJK = re.compile("[不没沒無错錯]|ない|아니")
CLAUSE_STARTS = _words(", : but so hence therefore thus then and")
DOUBTS = _words(
    "not neither nor never no worse less wrong incorrect rather unlike cannot unable unclear unsure either both"
    " except but however although though if whether could might may would should only partly partially lacks misses"
    " fails ? says said mentions states claims describes suggests"
)
MAY_TAKE_BACK = _words(
    "wait actually no thought thoughts reflection correction scratch rather sorry hmm mean let mistake oops"
)
TAKES_BACK = re.compile(
    r"(?:^|[.!?\n,;-]) (?:but |oh (?:, )?)?(?:wait|actually|no|on (?:second thoughts?|reflection)|correction"
    r"|scratch that|or rather|sorry|hmm|i mean|let me re\w+|my mistake|oops)\b"
)

# --- Refusals -----------------------------------------------------------------------------------------------------

REFUSAL = re.compile(
    r"\bi(?:'m| am) (?:very |really )?(?:sorry|unable|not able)|\bi (?:can(?:no|')t|could not|couldn't|won't|will not"
    r"|must decline|apologi[sz]e|do(?:n't| not) have (?:access|the ability))|\bas an ai\b|^\s*(?:sorry\b|unable to\b)"
    r"|\b(?:lo siento|je suis désolée?|es tut mir leid|desculpe|mi dispiace|извините)\b"
    r"|抱歉|对不起|對不起|我(?:无法|無法|不能)|申し訳|できません|죄송"
)
