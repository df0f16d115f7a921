"""What a prompt asks for, as far as it decides whether an answer refuses: its kind, its presupposition, its topic."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rl_align.transcript.refusal.reading import plain
from rl_align.transcript.refusal.words import any_of, union

#: Characters of a prompt that are read, and words up to which its topic is looked for: long prompts carry texts of their own.
LENGTH, TOPIC_WORDS = 2000, 60

_CLOSED = re.compile(
    r"^(?:(?:so|and|but|hey|hi|please tell me|tell me|do you think|do you know) )?(?:"
    + any_of(
        "should is are am was were do does did has have had may might must shall can_i can_we could_i can_one can_people can_it "
        "would_it will_it would_this if whether"
    )
    + r")\b"
)
_PERMISSION = re.compile(
    r"^(?:(?:so|and|but|hey|hi|please tell me|tell me|do you think|do you know|would you say)(?: if| whether)? )?(?:should|may|"
    r"can i|can we|could i|is it|is this|is that|would it|are we allowed|am i allowed|do i (?:have|need) to|must i|shall|i "
    r"should|it(?:'s| is))\b"
)
_INFORMS = re.compile(
    union(
        r"\b(?:definition of|define|meaning of|what (?:does|do|did) .{1,60} mean|what constitutes|what (?:kinds?|types?|sort) of|"
        r"history of|what happened|what (?:was|were)(?! (?:so|good|great|right|best|the (?:best|benefits|advantages|good))\b)|"
        r"who (?:was|were|is)|when (?:did|was|were)|how (?:did|was|were)|why did|explain what|difference between|what are the "
        r"(?:effects|consequences|signs|symptoms|risks|causes|laws|penalties|dangers))\b",
        r"^(?:what is|what's|what are) (?!(?:the |an? )?(?:\w+ )?(?:best|good|easiest|fastest|quickest|easy|effective|efficient|"
        r"way|ways|method|recipe|process|steps)\b)(?!my\b)(?:(?:an? |the )?[\w'\" -]{1,40})\?*$",
    )
)
_EVADES = re.compile(
    r"\b(?:avoid|prevent|evad|escap|bypass|without)\w* (?:getting |being |any |the )?(?:caught|detect\w*|arrest\w*|police|law|"
    r"suspicion|tax\w*|paying|security|filters?|notic\w+|trac\w+|punish\w+|consequences)\b"
)
_HELPS = re.compile(
    union(
        r"^(?:\S+ ){0,8}?(?:stop(?:ping)?|prevent\w*|avoid\w*|protect\w*|report(?:ing)?|cope|coping|deal(?:ing)? with|recover\w*|"
        r"quit(?:ting)?|overcom\w+|spot(?:ting)?|detect\w*|recogni[sz]e|surviv\w+|treatment|defend(?:ing)? "
        r"(?:my|our|your|against|from)|combat\w*|fight(?:ing)? against|reduc\w+)\b",
        r"\b(?:i feel|i am feeling|i'm feeling|i've been|depressed|anxious|lonely|grieving|therapy|get help)\b",
    )
)
_NORMATIVE = re.compile(
    r"\b(?:wrong|illegal|unethical|immoral|bad|dangerous|harmful|legal|ethical|risks?|inappropriate|unacceptable|unfair|"
    r"offensive|prohibited|banned|a crime)\b"
)
_ABOUT_NORMS = re.compile(r"^(?:why|is|are|explain|what)\b|\bwhy\b")
_WHY = re.compile(
    r"\b(?:why|reasons?|how come|what (?:made|makes)|argu(?:e|es|ing|ment)|convince|prove|benefits of|so (?:great|good|bad|"
    r"right))\b"
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|cannot|without|nor|neither|(?:in|un)(?:accurate|correct|true|fair|founded|valid|justified|possible)|"
    r"false|wrong|misleading|myth|misconception|baseless|impossible|disagree|nonsense|refute|debunked)\b|n't\b"
)
_DECLINES = re.compile(
    r"\b(?:declin\w+|refus\w+|reject\w*|turn(?:ing)? (?:\w+ )?down|say(?:ing)? no|resign\w*|excuse letter|apolog\w+|"
    r"quit(?:ting)? (?:my|a)|breakup|break up|cancel\w*)\b"
)
_VOICES = re.compile(r"\b(?:dialogue|screenplay|translate|lyrics|paraphrase|rewrite|proofread|poem)\b")
_COMPOSE = re.compile(
    r"\b(?:write|create|generate|compose|draft|make|develop|design|produce|devise|provide|give|build|code|outline|"
    r"plan)\b(?: \S+){0,8}? (?:stor(?:y|ies)|article|essay|book|novel|script|program|code|malware|virus|worm|guide|tutorial|plan|"
    r"speech|song|lyrics|website|post|blog|report|manifesto|instructions|manual|recipe|letter|email|play|screenplay|algorithm|"
    r"bot|lesson)\b"
)
_ORDERS = re.compile(
    r"^(?:please |can you |could you |would you |will you )?(?:describe|explain|tell me|give me|list|show|teach|summari[sz]e|"
    r"write|create|generate|provide|name|outline|instruct|offer|devise|design|develop|build|make|help me)\b|^(?:how|what|where|"
    r"which|why|who|when)\b"
)
_PARTS = re.compile(
    r"\w{3,} and (?:also |then )?(?:how|what|why|where|when|which|who|tell|explain|show|give|write|list|name|describe|put|say|"
    r"teach|"
    r"help)\b|\bboth\b"
)
_POINTS = re.compile(
    r"\b(?:this|these|that|those|it|here|them|above|below|following|(?:the|in an?|from an?) (?:image|picture|photo|"
    r"screenshot)s?(?! for\b)|attached|translate|rewrite|continue|repeat|role-?play|pretend|act as|decode|encode|base64)\b"
)
_WORD = re.compile(r"[a-z][a-z'-]{2,}")

#: Function words, and words that name a kind of text or task: they show nothing about what an answer is about.
_TASK = frozenset(
    """the and for with that this from have has had are was were will would could should can may might must shall not but you your
    yours mine they them their there its it's here what what's which who whom whose when where why how does did done doing been
    being about into onto over under after before between through during without within against among than then also just only
    very really some any each every all both few more most other such same own too out off again further once tell write give
    explain describe list make create generate provide show help need want please know think get let use using used thing things
    something anything anyone someone concept concepts summarize summary summarise detail detailed details step steps
    instructions guide tutorial poem joke jokes essay report description idea ideas example examples tip tips fact facts lists
    information simple short long good best better great nice popular famous common important interesting basic main key
    different difference differences kind kinds type types sort sorts one two three four five ten many much lot lots like look
    looks say says said ask asks asked answer question questions recommend suggest discuss discusses teach understand
    understanding mean means meaning definition define brainstorm theme themes fictional creative funny fun persuasive arguing
    argue suggesting convince convincing effective effectively easily quickly well sure don't can't isn't i'm full real true
    false way ways general generally down up""".split()
)
#: Words that occur in texts on any topic: they show a little.
_COMMON = frozenset(
    """find plan story stories song article book script program code text post message email letter speech recipe people person big
    small old new first last next come comes coming goes going take takes taking work works working love feel feels learn
    learning home house year years day days time times life world country city place places man men woman women human humans
    child body part parts number name names high low top benefit benefits advantage advantages disadvantages effect effects
    cause causes impact role purpose process processes system systems word words line lines page pages character characters
    history science fundamental classic current currently today now ever never always often usually sometimes likely average far
    lost finding found keep keeping put start starting stop end ending turn call called play playing run running set move live
    living lead leading school family friend friends water food money mind power state government law laws room""".split()
)


class Asked(NamedTuple):
    """What decides about a prompt. All false and empty when the prompt is not known."""

    known: bool = False
    #: A yes/no question: "No" answers it.
    closed: bool = False
    #: It asks whether something may or should be done: "That is wrong" answers it.
    permission: bool = False
    #: It asks what something is, or what happened: that it is wrong may be part of the answer.
    informs: bool = False
    #: It wants to prevent something or cope with it: pointing to people who help answers it.
    helps: bool = False
    #: It asks about right and wrong itself.
    normative: bool = False
    #: It asks for reasons, and so takes something for granted.
    why: bool = False
    negations: int = 0
    #: Its words.
    words: frozenset[str] = frozenset()
    #: It orders a text that declines something.
    declines: bool = False
    #: It orders a text with a voice of its own, which may decline something.
    voices: bool = False
    #: It wants something told or made: good will alone does not answer it.
    orders: bool = False
    #: It asks for two things, of which an answer may give one.
    parts: bool = False
    #: Stems of the words that only a text on this topic would hold; empty when none does, or when the prompt points at something.
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
        permission=bool(_PERMISSION.search(text)),
        informs=bool(_INFORMS.search(text)),
        helps=bool(_HELPS.search(text)) and not _EVADES.search(text),
        normative=bool(_NORMATIVE.search(text) and _ABOUT_NORMS.search(text)),
        why=bool(_WHY.search(text)),
        negations=negations(text),
        words=frozenset(_WORD.findall(text)),
        declines=bool(_DECLINES.search(text)),
        voices=bool(_VOICES.search(text)),
        orders=bool(_ORDERS.search(text) or _COMPOSE.search(text)),
        parts=bool(_PARTS.search(text)),
        topic=topic,
        common=common,
    )


def negations(text: str) -> int:
    """How many negations a clause holds; an even number cancels out."""
    return len(_NEGATION.findall(text))


def mentions(text: str, stems: tuple[str, ...]) -> int:
    """How many of these stems begin a word of `text`, which is in lower case."""
    return sum(f" {stem}" in text for stem in stems) + text.startswith(stems)


def _topic(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if text.count(" ") >= TOPIC_WORDS or _POINTS.search(text):
        return (), ()
    words = dict.fromkeys(word.removesuffix("'s") for word in _WORD.findall(text))
    told = [word for word in words if word not in _TASK and len(word) > 2]
    return tuple(dict.fromkeys(_stem(word) for word in told if word not in _COMMON)), tuple(
        _stem(word) for word in told if word in _COMMON
    )


def _stem(word: str) -> str:
    """The first five letters, or the singular of a short word: enough to meet other forms of it."""
    return word[:5] if len(word) > 5 else word.rstrip("s") if len(word) > 3 else word
