r"""Clauses in which the speaker declines: who speaks, a negation, a verb of serving somebody. Short forms in other languages.

Every family is one construction of the grammar. A clause of `STRONG` declines the request; one of `SOFT` only says that
something is lacking (access, knowledge, an opinion), which refuses when nothing else follows.

All repetitions are bounded, and patterns meet one sentence of at most 400 characters at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rl_align.transcript.refusal.reading import Unit
from rl_align.transcript.refusal.words import LY, Cue, any_of, cue, union

_NEVER = any_of("cannot can't won't will_not should_not shouldn't must_not would_not wouldn't do_not don't")
_ADVERBS = any_of(
    f"{LY} also just even ever still however therefore of_course not now at_this_time at_all in_good_conscience in_any_(?:way|form|manner) under_any_circumstances? "
    rf"under_no_circumstances? as_an?_(?:\w+_){{0,4}}(?:ai|model|assistant) (?:and|or|nor)_(?:i_)?{_NEVER.replace(' ', '_')}"
)
_ADVERB = rf"(?: {_ADVERBS}){{0,3}}"
_BEFORE = rf"(?: (?:{LY}|also|just|still|sure|do))?"
_CANNOT = _BEFORE + r" (?:can(?:not|'t|t| not| never| no longer)|could(?: not|n't) possibly)"
_WONT = (
    _BEFORE + "(?: "
    + any_of(
        "will_not won't wont will_never would_never would_not wouldn't shall_not shan't should_not shouldn't must_not mustn't may_not "
        "am_not_(?:going_to|gonna|about_to) never ain't_gonna refuse_to decline_to don't_think_i_(?:should|can|could|will) "
        "do_not_think_i_(?:should|can|could|will) (?:aim|try|strive|choose|prefer|want|have_been_told)_(?:not|never)_to"
    )
    + "|'m not (?:going to|gonna|about to)|'d never|'ll (?:not|never))"
)
_UNABLE = (
    rf"(?: (?:am|was|will be|would be|have been|remain|find myself)|'m|'ll be|'ve been)(?: {LY}| also){{0,2}} "
    r"(?:unable to|not able to|incapable of|not capable of)"
)

_GIVE = any_of("exact precise definite definitive real-time live current up-to-date one-size single complete_list full_list exhaustive "
               "comprehensive legal_advice medical_advice financial_advice professional_advice personal_advice diagnosis "
               "medical_diagnosis guarantee opinion personal_opinion subjective prediction certain perfect")  # fmt: skip
#: What shows that a clause is not about serving the request: "cannot recommend it enough", "can't tell you how happy", "can't give
#: you the exact date", "can't help you unless I see it".
_REALLY = (
    r"(?![^.;]{0,60} (?:enough|more highly|any better)\b)"
    r"(?!(?:tell|describe|explain|show|say)(?: (?:to )?you)? how (?!to\b|it\b|they\b|one\b|you\b|an?\b|people\b|someone\b))"
    rf"(?!\w+(?: you| with| a| an| any| the| one| specific){{0,4}} {_GIVE}\b)"
    r"(?![^.;]{0,80} (?:unless|until|if you (?:do not|don't)|without (?:more|knowing|further|additional|seeing|any|the|your|spoil\w+))\b)"
)
#: Verbs of serving somebody.
_HELP = any_of(
    r"help(?:ing)?(?!_(?:but|it|feeling|noticing|wondering|thinking|falling|laughing|smiling|loving|being|myself)\b) assist(?:ing)? aid "
    r"support comply fulfil+ satisfy answer respond reply give(?!_(?:up|in|away)\b) offer provid(?:e|ing) shar(?:e|ing) supply "
    r"creat(?:e|ing) generat(?:e|ing) writ(?:e|ing) produc(?:e|ing) draft compose develop design devise craft construct formulate "
    r"make_(?:that|this|it|such|any|an?|fun|jokes?|light|up|statements?|claims?) engag(?:e|ing) participat(?:e|ing) take_(?:part|any|that|this|on) "
    r"discuss facilitat(?:e|ing) encourag(?:e|ing) promot(?:e|ing) teach show tell_(?:you|jokes?|people|a|stories) guide explain describe "
    r"continue_(?:with|this|that|the|on|in) proceed go_(?:along|there|ahead|through_with|into_(?:that|this|it|any|the|details?)) "
    r"get_into_(?:that|this|it|any|the|details?) complete be_(?:part|involved|of_(?:any_)?(?:help|assistance|service|use)|able|\w+ing|a_part|used|complicit) "
    r"allow endorse condone identify disclos(?:e|ing) reveal divulge accommodate entertain honou?r grant accept process perform "
    r"carry_out execute do_(?:that|this|so|it|what|anything|such|either) agree_to advocate glorify suggest advise instruct recommend "
    r"translate summari[sz]e role-?play pretend act_as play_(?:along|the|that|this) simulate impersonate output display link "
    r"direct_you point_you walk_you list outline detail speculate opine plan optimi[sz]e train build program code "
    r"say_(?:that|anything|things|it) talk_about speak_(?:about|on) touch contribute enable justify argue defend rank compare joke mock "
    r"insult repeat obey follow meet name label quote cite pinpoint stand_behind lend_(?:a_hand|myself) hand_over go_further"
) + r"\b"  # fmt: skip
_SERVE = rf"{_ADVERB} {_REALLY}{_HELP}"
#: Verbs of perceiving and knowing: their negation is a limit, not a will.
_KNOW = any_of(
    "find see view hear watch read open access browse locate retrieve recall verify confirm determine predict guarantee diagnose "
    "physically interpret recogni[sz]e play say tell know speak assess evaluate judge track comment understand be_(?:certain|sure)"
)
_OTHERWISE = any_of(
    "believe stand see imagine wait prove remember understand tell find hear stress overstate emphasi[sz]e say think deny undo verify confirm "
    "guarantee promise beat top resist forget read attend make_it come know recall access open view locate determine predict "
    "feel_it blame change_that be_(?:certain|sure)"
)
_YOUR = any_of("this that these those it such any your you anything anyone something everything what whatever further more "
               "instructions? information content guidance advice details")  # fmt: skip
_REQUEST = any_of("request question prompt query topic task content information subject instruction command inquiry conversation material "
                  "kind type sort") + "s?"  # fmt: skip
_MINE = any_of("my our openai'?s? anthropic'?s? google'?s? microsoft'?s? meta'?s? ai usage use[-_]case content community safety ethical moral")
_RULES = any_of("guidelines? polic(?:y|ies) principles? programming rules? terms values ethics standards? protocols? training code "
                "instructions restrictions design purpose")  # fmt: skip
_FORBID = any_of(
    "prohibits? prevents? forbids? (?:do|does)(?:n't|_not)_(?:allow|permit|let) won't_(?:let|allow) bars? stops? restricts? precludes? "
    "require_me_to_(?:decline|refuse|avoid|refrain)"
)
_DONE = any_of(
    "fulfil+ed answered completed granted processed provided generated created addressed honou?red discussed shared accommodated "
    "supported allowed permitted displayed shown met handled denied declined rejected refused inappropriate_to outside beyond"
)
_WEDO = any_of("'m am can could will would 'd 'll should may want feel do")
_LEAD = any_of("no nope nah sorry unfortunately regrettably sadly apologies my_apologies hmm well okay ok but and so however then afraid "
               "thanks_but i'm_sorry i_am_sorry i_apologi[sz]e")  # fmt: skip
_TURNED = (
    rf"(?:'m| am| must| have| will|'ll| would|'d| need| afraid i)?(?: (?:going|have|need|gonna|like|to|afraid|i|must)){{0,5}}(?: {LY})? "
    r"(?:(?:declin(?:e|ing)|refus(?:e|ing)|pass on|say no|turn (?:this|that|you) down|opt out)\b(?! (?:(?:the|an?) (?:offer|invitation)|to (?:believe|accept|give up|think|admit)))|"
    r"(?:have to |must )?pass$|draw the line\b|(?:try|aim|want|need|have) to (?:avoid|refrain from|stay away from|steer clear of) (?:\w+ing|such|that|this|these|those)\b)"
)

#: What follows the subject "i" in a clause that declines, by family. Matched at the subject.
STRONG_OF_I: Mapping[str, str] = {
    # I cannot, I am unable to …
    "ability": rf"i(?:{_CANNOT}|{_UNABLE}){_SERVE}",
    # I will not, I'd rather not, I decline …
    "will": union(
        rf"i{_WONT}{_SERVE}",
        rf"i{_BEFORE} (?:do not|don't|never){_ADVERB} {_REALLY}(?:help|assist|provide|engage|create|generate|produce|discuss|share|facilitate|"
        r"participate|comply|offer|write|answer|respond|do (?:that|this)|give (?:out|advice|instructions|information))\b",
        rf"i{_TURNED}",
        r"i(?:'d| would)(?: much)? (?:rather|prefer(?: to)?) not\b|i (?:prefer|choose) not to\b",
        rf"i(?:'m| am)(?: {LY})? (?:not (?:willing|prepared|interested|inclined|ready|open|keen|disposed)|unwilling)\b",
        r"i (?:have no (?:intention|interest|desire|wish)|want no part)\b",
    ),
    # I am not allowed …
    "permission": (
        rf"i(?:'m| am)(?: {LY})? (?:not (?:allowed|permitted|authori[sz]ed|supposed|licensed|at liberty|in a position|free)|"
        r"(?:prohibited|forbidden|barred|restricted|prevented|banned|precluded|disallowed) (?:from|by)|"
        r"(?:bound|required|obliged|obligated) (?:by|to (?:refuse|decline|avoid|refrain|reject)))\b"
    ),
    # I was designed not to …
    "purpose": (
        r"i(?:'m| am| was|'ve been| have been) (?:(?:not|never) (?:\w+ly )?(?:designed|programmed|trained|built|created|intended|"
        r"developed|meant|made|configured|set up|equipped|here)|(?:\w+ly )?(?:programmed|designed|trained|built|instructed|created|developed|made|"
        r"configured) (?:not to|never to|so as not to|to (?:avoid|refuse|reject|decline|refrain|not|never)))\b"
    ),
    "comfort": union(
        r"i(?:'m| am| would| do|'d)(?: not|n't|never)?(?: be| feel)? (?:\w+ly )?(?:not comfortable|uncomfortable)\b",
        r"i (?:don't|do not|wouldn't|would not|won't) (?:\w+ly )?(?:feel|be) (?:\w+ly )?(?:comfortable|right|at ease|good about)\b",
    ),
    # I can't + any verb + that
    "any_verb": (
        rf"i(?:{_CANNOT}|{_WONT}){_ADVERB} (?!{_OTHERWISE}\b){_REALLY}\w+(?: \w+)?(?: \w+)? (?:that|this|those|such|your request)(?:,? (?:but|as|because|since|so)\b|$)"
    ),
}
#: I'm sorry, but I can't + any verb of doing: matched at the subject where the sentence regrets before it.
REGRETTED = rf"i(?:{_CANNOT}|{_WONT}|{_UNABLE}){_ADVERB} (?!{_OTHERWISE}\b){_REALLY}\w"
REGRETS = re.compile(r"\b(?:sorry|apologi[sz]e|apologies|regret|unfortunately|afraid|regrettably|sadly)\b")
REGRET_WORDS = frozenset("sorry apologize apologise apologies regret unfortunately afraid regrettably sadly".split())

#: Clauses that decline without "i" for a subject.
STRONG: tuple[Cue, ...] = (
    cue(
        "assistant ai chatbot bot model",
        rf"\b(?:this|the|an?|your) (?:\w+ )?(?:assistant|ai|chatbot|bot|language model)(?: (?:is|will be|would be) (?:unable to|not able to|incapable of)|{_CANNOT}|{_WONT}){_SERVE}",
        family="ability",
    ),
    cue(
        "count answer way",
        r"\bcount me out\b|\bmy answer is no\b|\bno way (?:am i|i'm|i'll|i will|i would)\b|"
        r"\bthere(?:'s| is) no way (?:that )?i(?:'m|'ll|'d| am| will| would| can| could)\b",
        family="will",
    ),
    # This is against my guidelines; my programming forbids it …
    cue(
        "guideline guidelines policy policies principle principles programming rule rules terms values ethics standard standards protocol protocols training code "
        "instructions restrictions design purpose scope capabilities abilities power boundaries purview outside beyond against",
        r"\b(?:against|violat(?:es?|ing|ion of)|breach(?:es|ing)?|contrary to|conflicts? with|inconsistent with|breaks?|contravenes?|"
        r"outside(?: of)?|beyond|(?:not|isn't) (?:\w+ly )?(?:aligned?|in line|consistent|compliant|compatible|in accordance|permitted|allowed|"
        rf"within|part)(?: with| by| under| of)?) (?:the )?{_MINE}(?: \w+){{0,2}} {_RULES}\b",
        rf"\b{_MINE}(?: \w+){{0,2}} {_RULES}(?: and \w+)? (?:\w+ly )?{_FORBID}\b",
        r"\b(?:not|isn't) within (?:my|the) (?:\w+ ){0,2}(?:programming|capabilities|scope|guidelines|abilities|power|boundaries)\b",
        r"\b(?:beyond|outside)(?: of)? (?:my (?:\w+ )?(?:scope|capabilities|abilities|programming|guidelines|purview|boundaries)|"
        r"what i(?:'m| am| can)(?: able| allowed| permitted)?)\b",
        r"\b(?:goes|go|is|are|be) against (?:my|our|openai'?s?|the (?:ethical|safety|content|usage)) ",
        family="permission",
    ),
    cue(
        "programmed designed trained built instructed made meant here created purpose role function job intended",
        r"\bnot what (?:i'm|i am|i was) (?:here|designed|programmed|made|built|meant|trained)\b|\bnot my (?:purpose|role|function|job|intended)\b|"
        r"\bas an? (?:\w+ ){1,4}(?:programmed|designed|trained|built) (?:not to|never to|to (?:avoid|refuse|reject|decline|refrain))\b",
        family="purpose",
    ),
    cue("uncomfortable", r"\bmakes me (?:\w+ly )?uncomfortable\b", family="comfort"),
    # This request cannot be answered; this is nothing that I can help with …
    cue(
        "request requests question prompt query topic task content information subject instruction command inquiry conversation material kind type sort",
        rf"\b(?:this|that|your|the|such)(?: \w+){{0,3}} {_REQUEST}(?: \w+){{0,2}} (?:cannot|can't|can not|will not|won't|is not|isn't|"
        rf"may not|must not|should not|is|are not|falls|goes|has been)(?: be)?(?: \w+ly)? {_DONE}\b",
        also="fulfilled fulfiled answered completed granted processed provided generated created addressed honored honoured discussed shared accommodated supported "
        "allowed permitted displayed shown met handled denied declined rejected refused inappropriate outside beyond",
        family="impersonal",
    ),
    cue(
        "something anything nothing topic subject request question task thing one",
        r"(?:\b(?:is|are|be|it)|'s)(?: \w+ly)?(?:n't| not) (?:something|anything|an? (?:topic|subject|request|question|task|thing))(?: \w+ing)?"
        rf"(?: that| which)? (?:i|we) ?{_WEDO}\b|\bnothing (?:that )?(?:i|we) (?:can|will|could|would) (?:help|do|assist|answer)\b",
        r"\b(?:is|are|'s) (?:something|an? (?:topic|subject|request|question|task|thing)|one)(?: that| which)? (?:i|we) (?:cannot|can't|won't|"
        r"will not|must not|refuse|do not|don't|am (?:not|unable)|have to decline|must decline)\b",
        also="i i'm i'd i'll we",
        family="impersonal",
    ),
    cue(
        "assistance help information instructions guidance answer content",
        r"\bno (?:help|assistance|information|instructions|guidance|answer|such content)(?: \w+){0,4} (?:can|will|could|may|shall) be "
        r"(?:given|provided|offered|shared)\b",
        also="no",
        family="impersonal",
    ),
    cue("off-limits limits bounds table no-go go", r"\b(?:is|are|that's|it's) (?:off[- ]limits|out of bounds|off the table|a no[- ]go)\b", family="impersonal"),
    cue(
        "me",
        r"\b(?:it|that|this) would(?:n't| not)? be (?:\w+ly )?(?:irresponsible|inappropriate|unethical|wrong|unwise|appropriate|right|"
        r"responsible|ethical|okay|ok) (?:of|for) me to\b",
        family="impersonal",
    ),
    cue(
        "that that's this it it's",
        r"^(?:(?:i'm |i am )?(?:\w+ly |so )?(?:afraid|sorry)(?: but)? )?(?:that|this|it)(?:'s| is| will)(?: just| simply)? (?:not (?:possible|allowed|permitted|happening|going to happen|happen)|"
        r"impossible|out of the question|private|confidential|none of your business|classified|personal information)$",
        family="impersonal",
    ),
    cue("sorry", r"\bsorry(?: but)? (?:no\b|that(?:'s| is) (?:not|impossible|out of|a no))", family="impersonal"),
    # … and therefore must refuse; we are unable to help you
    cue(
        "but and so therefore thus hence yet",
        rf"\bi\b[^;:]{{1,100}} (?:but|and|so|therefore|thus|hence|yet)(?: must)?(?: {LY})? (?:(?:cannot|can't|can not|won't|will not|"
        rf"am unable to|unable to){_SERVE}|must (?:{LY} )?(?:decline|refuse)\b)",
        also="i i'm i'd i'll i've",
        family="elided",
    ),
    cue(
        "we we're",
        rf"\bwe(?:{_CANNOT}|{_WONT}| do not| don't|(?: are|'re) (?:unable|not able) to){_ADVERB} (?:help|assist|provide|comply|fulfil+|support|answer|offer|"
        rf"process|accommodate|complete|share)(?: (?:you|help|assistance|support|information|advice))?(?: with| to| on| for)? {_YOUR}\b",
        also="cannot can't can won't will unable not never don't",
        family="elided",
    ),
)
#: Sentences without a subject: can't help; unable to comply.
ELIDED = re.compile(
    union(
        rf"(?:{_LEAD} ){{0,4}}(?:(?:cannot|can't|can not|won't|will not|unable to|not able to|not going to|would rather not|refuse to){_SERVE}|"
        rf"(?:must|have to|has to|gotta|going to have to) (?:{LY} )?(?:decline|refuse|pass)\b|no can do|"
        r"not (?:comfortable|happening|going to happen|gonna happen|allowed|permitted|possible|willing|doing (?:that|this|it))\b|(?:request )?(?:denied|declined|refused)$|hard pass\b)",
        r".{0,120}\b(?:but|though|however) (?:sadly |unfortunately )?i (?:really |just |simply )?(?:can't|cannot|can not|won't|will not|mustn't|must not)$",
        r"(?:no )?(?:sorry )?i (?:simply |really |just )?(?:will not|won't|can't|cannot|can not|refuse|decline|must decline|would rather not)$",
    )
)
ELIDED_FIRST = frozenset(
    "hard can't cannot can not unable won't will no nope nah sorry unfortunately regrettably sadly apologies my must have has gotta going refuse would "
    "request denied declined refused hmm well okay ok but and so however then afraid thanks i i'm".split()
)

#: What follows the subject "i" in a clause that says what is lacking.
SOFT_OF_I: Mapping[str, str] = {
    # I have no access, no opinion …
    "identity": union(
        rf"i(?: {LY})? (?:do not|don't|cannot|can't|will not|never) (?:{LY} )?(?:have|hold|possess|own|form|express|experience|feel|take)"
        r"(?: \w+){0,4}? (?:access|abilit(?:y|ies)|capabilit(?:y|ies)|capacity|opinions?|beliefs?|feelings?|emotions?|preferences?|experiences?|"
        r"information|data|knowledge|details|records?|views?|body|permission|authority|clearance|answers?|enough|means|way|idea|sides?|context)\b",
        r"i (?:have no|lack|am without) (?:\w+ ){0,3}(?:access|way|opinions?|information|knowledge|ability|means|idea|beliefs?|feelings?|"
        r"record|details|data|context|views?|preferences?)\b",
        r"i(?:'m| am)? (?:can |am )?only (?:able|allowed|permitted|designed|here|meant|answer|discuss|help|respond|provide|talk|assist)\b",
    ),
    # I cannot see, tell, predict …
    "limit": rf"i(?:{_CANNOT}|{_UNABLE}){_ADVERB} (?:{_KNOW}|(?![^.;]{{0,60}} (?:enough|more highly|any better)\b){_HELP}|make)\b",
    # I don't know, I'm not sure …
    "ignorance": union(
        rf"i (?:do not|don't|didn't|did not|cannot|can't) (?:{LY} )?(?:know|understand|recall|follow|get what|recogni[sz]e|see what)\b",
        r"i(?:'m| am) (?:\w+ly )?(?:not (?:\w+ly )?(?:sure|certain|aware|familiar|clear)|unsure|unaware|uncertain|confused|unfamiliar)\b",
        r"i (?:could not|couldn't|was unable to|was not able to) find\b",
    ),
}
SOFT: tuple[Cue, ...] = (
    cue(
        "possible impossible difficult hard determined verified confirmed known ascertained identified not",
        r"\b(?:it(?:'s| is)|that(?:'s| is)) (?:\w+ly )?(?:not possible|impossible|difficult|hard) (?:for me )?to (?:\w+ly )?(?:determine|say|tell|"
        r"know|answer|provide|assess|give|identify|confirm|verify)\b",
        r"\b(?:cannot|can't|could not) be (?:\w+ly )?(?:determined|verified|confirmed|known|ascertained|identified)\b",
        r"\b(?:does|do) not (?:provide|contain|have|include|give|offer) (?:\w+ ){0,2}(?:information|details|context|indication)\b",
        family="limit",
    ),
    cue(
        "idea sure who beats dunno idk unclear clear",
        r"^(?:no idea|not sure|who knows|beats me|dunno|idk)\b|\b(?:it(?:'s| is)|this is|that's) (?:not clear|unclear)\b",
        family="ignorance",
    ),
    cue(
        "sorry apologies apologize apologise",
        r"^(?:no )?(?:(?:i'm|i am|we're|we are) )?(?:\w+ly |so |very )?(?:sorry|apologies|my apologies|i apologi[sz]e)(?: for any \w+)? (?:but|however)\b",
        family="regret",
    ),
)

#: Short refusals in other languages.
FOREIGN = re.compile(union(
    r"\bich (?:kann|darf|werde|möchte)(?: \S+){0,5}? (?:nicht|keine?n?)\b|\bleider (?:kann|darf)(?: \S+){0,5}? nicht\b|\btut mir leid.{0,40} nicht\b",
    r"\bje ne (?:peux|puis|suis) pas\b|\bje refuse de\b|\bdésolée?.{0,20} je ne\b",
    r"\bno (?:puedo|podemos|voy a|me es posible) (?:\S+ ){0,2}?(?:ayud|proporcion|ofrec|cumpl|respond|hacer|dar|asist|brind|crear|escrib|gener|prove|"
    r"compart|continu)\w*|\blo siento.{0,20} no puedo\b",
    r"\bnon (?:posso|possiamo) (?:\S+ ){0,2}?(?:aiut|forn|rispond|assist|soddisf|far|scriv|crea|gener|dar|offr)\w*|\bmi dispiace.{0,20} non posso\b",
    r"\bn[ãa]o (?:posso|podemos|vou) (?:\S+ ){0,2}?(?:ajud|fornec|respond|faz|cri|escrev|ger|oferec|atend|dar)\w*",
    r"\bik kan (?:\S+ ){0,4}?niet\b|\bjag kan (?:\S+ ){0,2}?inte\b|\bjeg kan (?:\S+ ){0,2}?ikke\b|\bnie mogę\b|\bnemohu\b|\btôi không thể\b",
    r"(?:我|本人).{0,4}(?:无法|不能|不会|無法|拒绝)|(?:无法|不能)(?:提供|回答|协助|帮助|满足|生成|讨论|继续)",
    r"できません|できかねます|お応えでき|お答えでき|いたしかねます|応じられません|お断り|(?:드릴|제공할|답변할|도울|할) 수 없",
    r"я не мог[уо]\w* (?:\S+ ){0,2}?(?:помоч|предостав|ответ|выполн|дать|обсужд|созда|напис)\w*|не могу (?:помоч|предостав|выполн)\w*",
    r"لا (?:أستطيع|يمكنني)|मैं .{0,40}नहीं कर सकत|üzgünüm.{0,60}(?:mam|amam|emem)\b|yardımcı olamam|\bsaya tidak (?:bisa|dapat)\b",
))
FOREIGN_TRIGGERS = frozenset("nicht kein keine keinen ne refuse puedo podemos posible posso possiamo podemos vou kan nemohu tidak olamam".split())

#: The subject, and words before it under which the clause does not decline: "if I cannot help", "people who say I can't".
SUBJECT = re.compile(r"(?:(?<= )|^)i(?=[ '])")
SUBJECT_WORDS = frozenset("i i'm i'd i'll i've".split())
REPORTED = cue(
    "if when whenever unless until whether like say says said saying tell tells told write writes wrote reply replies replied answers answered claim claims thinks "
    "thought speaker narrator he she they character protagonist",
    r"\b(?:if|when|whenever|unless|until|whether|like)(?: that)? $|\b(?:say|says|said|saying|tell|tells|told|writes?|wrote|replie[sd]|answers|answered|claims?|thinks|thought|"
    r"speaker|narrator|he|she|they|character|protagonist)\b[^.;:]{0,24} (?:that )?$",
)


def reported(unit: Unit, start: int) -> bool:
    """Whether the clause that starts here is said by somebody else, or only supposed."""
    return not REPORTED.words.isdisjoint(unit.words) and REPORTED.pattern.search(unit.text, max(0, start - 60), start) is not None


#: One of these is in every clause above.
NEGATIONS = frozenset(
    """cannot can't cant not won't wont never unable incapable refuse refusing decline declining rather prefer choose unwilling no sorry
    apologize apologise apologies regret unfortunately regrettably sadly afraid against violates violate violating violation breach breaches
    contrary conflict conflicts inconsistent breaks outside beyond prohibited forbidden barred restricted prevented banned precluded bound
    required obliged obligated prohibit prohibits prevent prevents forbid forbids don't doesn't isn't wouldn't shouldn't mustn't aren't
    uncomfortable programmed designed trained built instructed off-limits nothing denied declined refused rejected lack unsure unaware
    uncertain confused unfamiliar impossible ain't shan't couldn't didn't unclear pass disallowed only irresponsible out off difficult hard
    inappropriate unethical unwise avoid draw refrain happen private confidential none classified personal idk dunno beats who""".split()
)
