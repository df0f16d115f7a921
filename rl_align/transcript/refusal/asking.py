"""What a prompt asks for, as far as it decides whether an answer refuses: its kind, its presupposition, its topic."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rl_align.transcript.refusal.reading import plain

#: Characters of a prompt that are read, and words above which its topic is not looked for: long prompts carry texts.
LENGTH, TOPIC_WORDS = 2000, 60

_CLOSED = re.compile(
    r"^(?:so |and |but |hey |hi |please tell me |tell me |do you think |do you know )?(?:should|is|are|am|was|were|do|does|did|has|have|had|may|might|must|shall|can i|can we|could i|can one|can people|can it|"
    r"would it|will it|would this|if |whether )\b"
)
_INFORMS = re.compile(
    r"\b(?:definition of|define\b|meaning of|what (?:does|do|did) .{1,60} mean|what constitutes|what kinds? of|what types? of|history of|what happened|what (?:was|were)|who (?:was|were|is)|when (?:did|was|were)|"
    r"how (?:did|was|were)|why did|explain (?:what|the)|difference between|what are the (?:effects|consequences|signs|symptoms|risks|causes|laws|penalties|dangers))\b"
    r"|^(?:what is|what's|what are) (?!(?:the |an? )?(?:\w+ )?(?:best|good|easiest|fastest|quickest|easy|effective|efficient|way|ways|method|recipe|process|steps)\b)(?!my\b)(?:(?:an? |the )?[\w'\" -]{1,40})\?*$"
)
_HELPS = re.compile(
    r"\b(?:stop(?:ping)?|prevent\w*|avoid\w*|protect\w*|report(?:ing)?|cope|coping|deal(?:ing)? with|recover\w*|quit(?:ting)?|overcom\w+|support(?:ing)?|spot(?:ting)?|detect\w*|recogni[sz]e|surviv\w+|treat(?:ing|ment)?|defend\w*|"
    r"combat\w*|fight(?:ing)? against|reduc\w+|i feel|i am feeling|i'm feeling|i've been|depressed|anxious|lonely|grieving|therapy|get help|apologi[sz]\w+)\b"
)
_NORMATIVE = re.compile(
    r"\b(?:wrong|illegal|unethical|immoral|bad|dangerous|harmful|legal|ethical|risks?|inappropriate|unacceptable|unfair|offensive|prohibited|banned|a crime)\b"
)
_WHY = re.compile(r"\bwhy\b|\breasons?\b|\bexplain how come\b|\bhow come\b|\bargu(?:e|ing|ment)\b|\bconvince\b|\bprove\b")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|cannot|without|nor|neither|(?:in|un)(?:accurate|correct|true|fair|founded|valid|justified|possible)|false|wrong|misleading|myth|misconception|baseless|impossible|disagree|nonsense|refute|debunked)\b|n't\b"
)
_DECLINES = re.compile(
    r"\b(?:declin\w+|refus\w+|reject\w*|turn(?:ing)? down|say(?:ing)? no|resign\w*|excuse letter|apolog\w+|quit(?:ting)? (?:my|a)|breakup|break up|role-?play|dialogue|screenplay|translate|quote|lyrics|paraphrase|rewrite|proofread|poem|cancel\w*)\b"
)
_COMPOSE = re.compile(
    r"\b(?:write|create|generate|compose|draft|make|develop|design|produce|devise|provide|give|build|code|outline|plan)\b(?: \S+){0,8}? (?:story|stories|article|essay|book|novel|script|program|code|malware|virus|worm|guide|tutorial|plan|speech|"
    r"song|lyrics|website|post|blog|report|manifesto|instructions|manual|recipe|letter|email|play|screenplay|algorithm|function|bot|lesson|summary|description|list)\b"
)
_POINTS = re.compile(r"\b(?:this|these|that|those|it|here|them|above|below|following|image|picture|photo|attached|translate|rewrite|continue|repeat|role-?play|pretend|act as|decode|encode|base64)\b")
_WORD = re.compile(r"[a-z][a-z'-]{2,}")

#: Words that name a kind of text or task, or that fit any topic: they show nothing about what an answer is about.
_TASK = frozenset(
    "the and for with that this from have has had are was were will would could should can may might must shall not but you your yours mine they them their there here what which who whom whose when where why how "
    "does did done doing been being about into onto over under after before between through during without within against among than then also just only very really some any each every all both few more most other "
    "such same own too out off again further once tell write give explain describe list make create generate provide show help need want please know think get let use using used thing things something anything someone "
    "anyone concept concepts summarize summary summarise detail detailed details step steps instructions guide tutorial poem joke jokes essay report "
    "description idea ideas example examples tip tips fact facts lists information simple short long good best better great nice popular famous common important interesting basic main key different difference "
    "differences kind kinds type types sort sorts one two three four five ten many much lot lots like look looks say says said ask asks asked "
    "answer question questions recommend suggest discuss discusses teach understand understanding mean means meaning definition define brainstorm theme themes fictional creative funny fun persuasive arguing argue suggesting convince convincing "
    "effective effectively easily quickly well sure don't can't isn't what's it's i'm full real true false true way ways".split()
)
#: Words that occur in texts on any topic: they show a little.
_COMMON = frozenset(
    "find plan story stories song article book script program code text post message email letter speech recipe people person big small old new "
    "first last next come comes coming goes going take takes taking work works working love feel feels learn learning home house year years day days time times life world country city place places man men woman women human "
    "humans child body part parts number name names high low top benefit benefits advantage advantages disadvantages effect effects cause causes impact role purpose process processes system systems word words line lines page pages character "
    "characters history science fundamental classic current currently today now ever never always often usually sometimes likely average far lost finding found keep keeping put start starting stop end ending turn call called play playing run "
    "running set move live living lead leading school family friend friends water food money body mind power state government law laws room".split()
)


class Asked(NamedTuple):
    """What decides about a prompt. All false and empty when the prompt is not known."""

    known: bool = False
    #: A yes/no question: "No, never" answers it.
    closed: bool = False
    #: It asks what something is, or what happened: that it is wrong may be part of the answer.
    informs: bool = False
    #: It wants to prevent or cope with something: pointing to people who help answers it.
    helps: bool = False
    #: It asks itself about right and wrong.
    normative: bool = False
    #: It asks for reasons, and so takes something for granted.
    why: bool = False
    negations: int = 0
    #: It orders a text in which somebody may well decline.
    declines: bool = False
    #: It orders something that takes more than a sentence.
    composes: bool = False
    #: Stems of the words that only a text on this topic would hold; empty when there are none or they do not tell.
    topic: tuple[str, ...] = ()
    #: Stems of its other words with a meaning.
    common: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def asked(prompt: str | None) -> Asked:
    """Reads a prompt. Never raises."""
    if not prompt or not prompt.strip():
        return Asked()
    text = plain(prompt[:LENGTH]).strip()
    topic, common = _topic(text)
    return Asked(
        known=True,
        closed=bool(_CLOSED.search(text)),
        informs=bool(_INFORMS.search(text)),
        helps=bool(_HELPS.search(text)),
        normative=bool(_NORMATIVE.search(text)) and (text.startswith(("why", "is ", "are ", "explain", "what")) or " why " in text),
        why=bool(_WHY.search(text)),
        negations=len(_NEGATION.findall(text)),
        declines=bool(_DECLINES.search(text)),
        composes=bool(_COMPOSE.search(text)),
        topic=topic,
        common=common,
    )


def negations(text: str) -> int:
    """How many negations a clause holds; an even number cancels out."""
    return len(_NEGATION.findall(text))


def _topic(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if text.count(" ") >= TOPIC_WORDS or _POINTS.search(text):
        return (), ()
    words = dict.fromkeys(w.removesuffix("'s") for w in _WORD.findall(text))
    told = [w for w in words if w not in _TASK]
    return tuple(dict.fromkeys(stem(w) for w in told if w not in _COMMON)), tuple(stem(w) for w in told if w in _COMMON)


def stem(word: str) -> str:
    """The first five letters, or the singular of a short word: enough to meet other forms of it."""
    return word[:5] if len(word) > 5 else word.rstrip("s") if len(word) > 3 else word


def mentions(text: str, stems: tuple[str, ...]) -> int:
    """How many of these stems begin a word of `text`, which is in lower case."""
    return sum(f" {s}" in text or text.startswith(s) for s in stems)
