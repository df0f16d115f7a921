r"""Clauses in which the speaker declines the request: who speaks, a negation, a verb of serving somebody.

Every family is one construction of the grammar. All repetitions are bounded, and patterns meet one sentence of at
most 400 characters at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rl_align.transcript.refusal.reading import Unit
from rl_align.transcript.refusal.words import LY, Cue, any_of, cue, union

_NEVER = any_of("cannot can't won't will_not should_not shouldn't must_not would_not wouldn't do_not don't")
_ADVERBS = any_of(
    f"{LY} also just even ever still however therefore of_course not now at_this_time at_all in_good_conscience "
    f"in_any_(?:way|form|manner) under_any_circumstances? "
    rf"under_no_circumstances? as_an?_(?:\w+_){{0,4}}(?:ai|model|assistant) (?:and|or|nor)_(?:i_)?{_NEVER.replace(' ', '_')}"
)
ADVERB = rf"(?: {_ADVERBS}){{0,3}}"
_BEFORE = rf"(?: (?:{LY}|also|just|still|sure|do))?"
CANNOT = _BEFORE + r" (?:can(?:not|'t|t| not| never| no longer)|could(?: not|n't) possibly)"
_WONT = (
    _BEFORE
    + "(?: "
    + any_of(
        "will_not won't wont will_never would_never would_not wouldn't shall_not shan't should_not shouldn't must_not mustn't "
        "may_not am_not_(?:going_to|gonna|about_to) never ain't_gonna refuse_to decline_to "
        "don't_think_i_(?:should|can|could|will) do_not_think_i_(?:should|can|could|will) "
        "(?:aim|try|strive|choose|prefer|want|have_been_told)_(?:not|never)_to"
    )
    + "|'m not (?:going to|gonna|about to)|'d never|'ll (?:not|never))"
)
UNABLE = (
    rf"(?: (?:am|was|will be|would be|have been|remain|find myself)|'m|'ll be|'ve been)(?: {LY}| also){{0,2}} "
    r"(?:unable to|not able to|incapable of|not capable of)"
)

_GIVE = any_of(
    "exact precise definite definitive real-time live current up-to-date one-size single complete_list full_list exhaustive "
    "comprehensive legal_advice medical_advice financial_advice professional_advice personal_advice diagnosis medical_diagnosis "
    "guarantee opinion personal_opinion subjective prediction certain perfect"
)
#: What shows that a clause is not about serving the request: "cannot recommend it enough", "can't tell you how happy", "can't give
#: you the exact date", "can't help you unless I see it".
_REALLY = (
    r"(?![^.;]{0,60} (?:enough|more highly|any better)\b)(?!(?:tell|describe|explain|show|say)(?: (?:to )?you)? how (?!to\b|it\b|"
    r"they\b|one\b|you\b|an?\b|people\b|someone\b))"
    rf"(?!\w+(?: you| with| a| an| any| the| one| specific){{0,4}} {_GIVE}\b)"
    r"(?!say (?:that )?(?:it|this|he|she|they|you|there)\b)(?![^.;]{0,80} (?:unless|until|if you (?:do not|don't)|"
    r"without (?:more|knowing|further|additional|seeing|any|the|your|spoil\w+))\b)"
)
#: Verbs of serving somebody.
HELP = (
    any_of(
        r"help(?:ing)?(?!_(?:but|it|feeling|noticing|wondering|thinking|falling|laughing|smiling|loving|being|myself)\b) "
        r"assist(?:ing)? aid support comply fulfil+ satisfy answer respond reply give(?!_(?:up|in|away)\b) offer provid(?:e|ing) "
        r"shar(?:e|ing) supply creat(?:e|ing) generat(?:e|ing) writ(?:e|ing) produc(?:e|ing) draft compose develop design devise "
        r"craft construct formulate make_(?:that|this|it|such|any|an?|fun|jokes?|light|up|statements?|claims?) engag(?:e|ing) "
        r"participat(?:e|ing) take_(?:part|any|that|this|on) discuss facilitat(?:e|ing) encourag(?:e|ing) promot(?:e|ing) teach "
        r"show tell_(?:you|jokes?|people|a|stories) guide explain describe continue_(?:with|this|that|the|on|in) proceed "
        r"go_(?:along|there|ahead|through_with|into_(?:that|this|it|any|the|details?)) "
        r"get_into_(?:that|this|it|any|the|details?) complete be_(?:part|involved|of_(?:any_)?(?:help|assistance|service|use)|"
        r"able|\w+ing|a_part|used|complicit) allow endorse condone identify disclos(?:e|ing) reveal divulge accommodate "
        r"entertain honou?r grant accept process perform carry_out execute do_(?:that|this|so|it|what|anything|such|either) "
        r"agree_to advocate glorify suggest advise instruct recommend translate summari[sz]e role-?play pretend act_as "
        r"play_(?:along|the|that|this) simulate impersonate output display link direct_you point_you walk_you list outline "
        r"detail speculate opine plan optimi[sz]e train build program code say_(?:that|anything|things|it) talk_about "
        r"speak_(?:about|on) touch contribute enable justify argue defend rank compare joke mock insult repeat obey follow meet "
        r"name label quote cite pinpoint stand_behind lend_(?:a_hand|myself) hand_over go_further"
    )
    + r"\b"
)
_SERVE = rf"{ADVERB} {_REALLY}{HELP}"
#: Verbs of perceiving, knowing and feeling: their negation declines nothing.
_OTHERWISE = any_of(
    "believe stand see imagine wait prove remember understand tell find hear stress overstate emphasi[sz]e say think deny undo "
    "verify confirm guarantee promise beat top resist forget read attend make_it come know recall access open view locate "
    "determine predict feel_it blame change_that be_(?:certain|sure)"
)
_YOUR = any_of(
    "this that these those it such any your you anything anyone something everything what whatever further more instructions? "
    "information content guidance advice details"
)
_REQUEST = (
    any_of(
        "request question prompt query topic task content information subject instruction command inquiry conversation material "
        "kind type sort"
    )
    + "s?"
)
_MINE = any_of(
    "my our openai'?s? anthropic'?s? google'?s? microsoft'?s? meta'?s? ai usage use[-_]case content community safety ethical moral"
)
_RULES = any_of(
    "guidelines? polic(?:y|ies) principles? programming rules? terms values ethics standards? protocols? training code "
    "instructions restrictions design purpose"
)
_FORBID = any_of(
    "prohibits? prevents? forbids? (?:do|does)(?:n't|_not)_(?:allow|permit|let) won't_(?:let|allow) bars? stops? restricts? "
    "precludes? require_me_to_(?:decline|refuse|avoid|refrain)"
)
_DONE = any_of(
    "fulfil+ed answered completed granted processed provided generated created addressed honou?red discussed shared accommodated "
    "supported allowed permitted displayed shown met handled denied declined rejected refused inappropriate_to outside beyond"
)
_WEDO = any_of("'m am can could will would 'd 'll should may want feel do")
_LEAD = any_of(
    "no nope nah sorry unfortunately regrettably sadly apologies my_apologies hmm well okay ok but and so however then afraid "
    "thanks_but i'm_(?:so_|very_|really_)?(?:sorry|afraid) i_am_(?:so_|very_|really_)?(?:sorry|afraid) i_apologi[sz]e"
)
_TURNED = (
    rf"(?:'m| am| must| have| will|'ll| would|'d| need| afraid i)?(?: (?:going|have|need|gonna|like|to|afraid|i|"
    rf"must)){{0,5}}(?: {LY})? "
    r"(?:(?:declin(?:e|ing)|refus(?:e|ing)|pass on|say no|turn (?:this|that|you) down|opt out)\b(?! (?:(?:the|an?) (?:offer|"
    r"invitation)|to (?:believe|accept|give up|think|admit)))|(?:have to |must )?pass$|draw the line\b|(?:try|aim|want|need|"
    r"have) to (?:avoid|refrain from|stay away from|steer clear of) (?:\w+ing|such|that|this|these|those)\b)"
)

#: What follows the subject "i" in a clause that declines, by family. Matched at the subject.
STRONG_OF_I: Mapping[str, str] = {
    # I cannot, I am unable to …
    "ability": rf"i(?:{CANNOT}|{UNABLE}){_SERVE}",
    # I will not, I'd rather not, I decline …
    "will": union(
        rf"i{_WONT}{_SERVE}",
        rf"i{_BEFORE} (?:do not|don't|never){ADVERB} {_REALLY}(?:help|assist|provide|engage|create|generate|produce|discuss|"
        rf"share|facilitate|"
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
        r"(?:bound|required|obliged|obligated) (?:by|not to|to (?:refuse|decline|avoid|refrain|reject)))\b"
    ),
    # I was designed not to …
    "purpose": (
        r"i(?:'m| am| was|'ve been| have been) (?:(?:not|never) (?:\w+ly )?(?:designed|programmed|trained|built|created|intended|"
        r"developed|meant|made|configured|set up|equipped|here)|(?:\w+ly )?(?:programmed|designed|trained|built|instructed|"
        r"created|developed|made|configured) (?:not to|never to|so as not to|to "
        r"(?:avoid|refuse|reject|decline|refrain|not|never)))\b"
    ),
    "comfort": union(
        r"i(?:'m| am| would| do|'d)(?: not|n't|never)?(?: be| feel)? (?:\w+ly )?(?:not comfortable|uncomfortable)\b",
        r"i (?:don't|do not|wouldn't|would not|won't) (?:\w+ly )?(?:feel|be) (?:\w+ly )?(?:comfortable|right|at ease|good about)\b",
    ),
    # I can't + any verb + that
    "any_verb": (
        rf"i(?:{CANNOT}|{_WONT}){ADVERB} (?!{_OTHERWISE}\b){_REALLY}\w+(?: \w+)?(?: \w+)? "
        rf"(?:that|this|those|such|your request)(?:,? (?:but|as|because|since|so)\b|$)"
    ),
}
#: I'm sorry, but I can't + any verb of doing: matched at the subject where the sentence regrets before it.
REGRETTED = rf"i(?:{CANNOT}|{_WONT}|{UNABLE}){ADVERB} (?!{_OTHERWISE}\b){_REALLY}\w"
REGRETS = re.compile(r"\b(?:sorry|apologi[sz]e|apologies|regret|unfortunately|afraid|regrettably|sadly)\b")
REGRET_WORDS = frozenset("sorry apologize apologise apologies regret unfortunately afraid regrettably sadly".split())

#: Clauses that decline without "i" for a subject.
STRONG: tuple[Cue, ...] = (
    cue(
        "assistant ai chatbot bot model",
        rf"\b(?:this|the|an?|your) (?:\w+ )?(?:assistant|ai|chatbot|bot|language model)(?: (?:is|will be|would be) (?:unable to|"
        rf"not able to|incapable of)|{CANNOT}|{_WONT}){_SERVE}",
        family="ability",
    ),
    cue(
        "count answer way",
        r"\bcount me out\b|\bmy answer is no\b|\bno way (?:am i|i'm|i'll|i will|i would)\b|\bthere(?:'s| is) no way "
        r"(?:that )?i(?:'m|'ll|'d| am| will| would| can| could)\b",
        family="will",
    ),
    # This is against my guidelines; my programming forbids it …
    cue(
        "guideline guidelines policy policies principle principles programming rule rules terms values ethics standard standards "
        "protocol protocols training code instructions restrictions design purpose scope capabilities abilities power boundaries "
        "purview outside beyond against",
        r"\b(?:against|violat(?:es?|ing|ion of)|breach(?:es|ing)?|contrary to|conflicts? with|inconsistent with|breaks?|"
        r"contravenes?|outside(?: of)?|beyond|(?:not|isn't) (?:\w+ly )?(?:aligned?|in line|consistent|compliant|compatible|"
        r"in accordance|permitted|allowed|"
        rf"within|part)(?: with| by| under| of)?) (?:the )?{_MINE}(?: \w+){{0,2}} {_RULES}\b",
        rf"\b{_MINE}(?: \w+){{0,2}} {_RULES}(?: and \w+)? (?:\w+ly )?{_FORBID}\b",
        r"\b(?:not|isn't) within (?:my|the) (?:\w+ ){0,2}(?:programming|capabilities|scope|guidelines|abilities|power|"
        r"boundaries)\b",
        r"\b(?:beyond|outside)(?: of)? (?:my (?:\w+ )?(?:scope|capabilities|abilities|programming|guidelines|purview|boundaries)|"
        r"what i(?:'m| am| can)(?: able| allowed| permitted)?)\b",
        r"\b(?:goes|go|is|are|be) against (?:my|our|openai'?s?|the (?:ethical|safety|content|usage)) ",
        family="permission",
    ),
    cue(
        "programmed designed trained built instructed made meant here created purpose role function job intended",
        r"\bnot what (?:i'm|i am|i was) (?:here|designed|programmed|made|built|meant|trained)\b|\bnot my "
        r"(?:purpose|role|function|job|intended)\b|\bas an? (?:\w+ ){1,4}(?:programmed|designed|trained|built) "
        r"(?:not to|never to|to (?:avoid|refuse|reject|decline|refrain))\b",
        family="purpose",
    ),
    cue("uncomfortable", r"\bmakes me (?:\w+ly )?uncomfortable\b", family="comfort"),
    # This request cannot be answered; this is nothing that I can help with …
    cue(
        "request requests question prompt query topic task content information subject instruction command inquiry conversation "
        "material kind type sort",
        rf"\b(?:this|that|your|the|such)(?: \w+){{0,3}} {_REQUEST}(?: \w+){{0,2}} "
        rf"(?:cannot|can't|can not|will not|won't|is not|isn't|may not|must not|should not|is|are not|falls|goes|"
        rf"has been)(?: be)?(?: \w+ly)? {_DONE}\b",
        also=(
            "fulfilled fulfiled answered completed granted processed provided generated created addressed honored honoured "
            "discussed shared accommodated supported allowed permitted displayed shown met handled denied declined rejected "
            "refused inappropriate outside beyond"
        ),
        family="impersonal",
    ),
    cue(
        "something anything nothing topic subject request question task thing one",
        r"(?:\b(?:is|are|be|it)|'s)(?: \w+ly)?(?:n't| not) (?:something|anything|an? (?:topic|subject|request|question|task|"
        r"thing))(?: \w+ing)?"
        rf"(?: that| which)? (?:i|we) ?{_WEDO}\b|\bnothing (?:that )?(?:i|we) (?:can|will|could|would) "
        rf"(?:help|do|assist|answer)\b",
        r"\b(?:is|are|'s) (?:something|an? (?:topic|subject|request|question|task|thing)|one)(?: that| which)? (?:i|we) "
        r"(?:cannot|can't|won't|will not|must not|refuse|do not|don't|am (?:not|unable)|have to decline|must decline)\b",
        also="i i'm i'd i'll we",
        family="impersonal",
    ),
    cue(
        "assistance help information instructions guidance answer content",
        r"\bno (?:help|assistance|information|instructions|guidance|answer|such content)(?: \w+){0,4} "
        r"(?:can|will|could|may|shall) be (?:given|provided|offered|shared)\b",
        also="no",
        family="impersonal",
    ),
    cue(
        "off-limits limits bounds table no-go go",
        r"\b(?:is|are|that's|it's) (?:off[- ]limits|out of bounds|off the table|a no[- ]go)\b",
        family="impersonal",
    ),
    cue(
        "me",
        r"\b(?:it|that|this) would(?:n't| not)? be (?:\w+ly )?(?:irresponsible|inappropriate|unethical|wrong|unwise|appropriate|"
        r"right|responsible|ethical|okay|ok) (?:of|for) me to\b",
        family="impersonal",
    ),
    cue(
        "that that's this it it's",
        r"^(?:(?:i'm |i am )?(?:\w+ly |so )?(?:afraid|sorry)(?: but)? )?(?:that|this|it)(?:'s| is| will)(?: just| simply)? "
        r"(?:not (?:possible|allowed|permitted|happening|going to happen|happen)|impossible|out of the question|private|"
        r"confidential|none of your business|classified|personal information)$",
        family="impersonal",
    ),
    cue("sorry", r"\bsorry(?: but)? (?:no\b|that(?:'s| is) (?:not|impossible|out of|a no))", family="impersonal"),
    # … and therefore must refuse; we are unable to help you
    cue(
        "but and so therefore thus hence yet",
        rf"\bi\b[^;:]{{1,100}} (?:but|and|so|therefore|thus|hence|yet)(?: must)?(?: {LY})? "
        rf"(?:(?:cannot|can't|can not|won't|will not|am unable to|unable to){_SERVE}|must (?:{LY} )?(?:decline|refuse)\b)",
        also="i i'm i'd i'll i've",
        family="elided",
    ),
    cue(
        "we we're",
        rf"\bwe(?:{CANNOT}|{_WONT}| do not| don't|(?: are|'re) (?:unable|not able) to){ADVERB} "
        rf"(?:help|assist|provide|comply|fulfil+|support|answer|offer|process|accommodate|complete|share)(?: (?:you|help|"
        rf"assistance|support|information|advice))?(?: with| to| on| for)? {_YOUR}\b",
        also="cannot can't can won't will unable not never don't",
        family="elided",
    ),
)
#: Sentences without a subject: can't help; unable to comply.
ELIDED = re.compile(
    union(
        rf"(?:{_LEAD} ){{0,4}}(?:(?:cannot|can't|can not|won't|will not|unable to|not able to|not going to|would rather not|"
        rf"refuse to){_SERVE}|(?:must|have to|has to|gotta|going to have to) (?:{LY} )?(?:decline|refuse|pass)\b|no can do|"
        r"not (?:comfortable|happening|going to happen|gonna happen|allowed|permitted|possible|willing|doing (?:that|this|it))\b|"
        r"(?:request )?(?:denied|declined|refused)$|hard pass\b)",
        r".{0,120}\b(?:but|though|however) (?:sadly |unfortunately )?i (?:really |just |simply )?(?:can't|cannot|can not|won't|"
        r"will not|mustn't|must not)$",
        rf"(?:{_LEAD} ){{0,4}}i (?:simply |really |just )?(?:will not|won't|can't|cannot|can not|refuse|decline|must decline|"
        r"would rather not)$",
    )
)
ELIDED_FIRST = frozenset(
    "hard can't cannot can not unable won't will no nope nah sorry unfortunately regrettably sadly apologies my must have has "
    "gotta going refuse would request denied declined refused hmm well okay ok but and so however then afraid thanks i i'm".split()
)

#: The subject, and words before it under which the clause does not decline: "if I cannot help", "people who say I can't".
SUBJECT = re.compile(r"(?:(?<= )|^)i(?=[ '])")
SUBJECT_WORDS = frozenset("i i'm i'd i'll i've".split())
REPORTED = cue(
    "if when whenever unless until whether like say says said saying tell tells told write writes wrote reply replies replied "
    "answers answered claim claims thinks thought speaker narrator he she they character protagonist",
    r"\b(?:if|when|whenever|unless|until|whether|like)(?: that)? $|\b(?:say|says|said|saying|tell|tells|told|writes?|wrote|"
    r"replie[sd]|answers|answered|claims?|thinks|thought|speaker|narrator|he|she|they|character|protagonist)\b[^.;:]{0,24} "
    r"(?:that )?$",
)


def reported(unit: Unit, start: int) -> bool:
    """Whether the clause that starts here is said by somebody else, or only supposed."""
    return not REPORTED.words.isdisjoint(unit.words) and REPORTED.pattern.search(unit.text, max(0, start - 60), start) is not None


#: One of these is in every clause of this file, and of `lacking`.
NEGATIONS = frozenset(
    """cannot can't cant not won't wont never unable incapable refuse refusing decline declining rather prefer choose unwilling no
    sorry apologize apologise apologies regret unfortunately regrettably sadly afraid against violates violate violating
    violation breach breaches contrary conflict conflicts inconsistent breaks outside beyond prohibited forbidden barred
    restricted prevented banned precluded bound required obliged obligated prohibit prohibits prevent prevents forbid forbids
    don't doesn't isn't wouldn't shouldn't mustn't aren't uncomfortable programmed designed trained built instructed off-limits
    nothing denied declined refused rejected lack unsure unaware uncertain confused unfamiliar impossible ain't shan't couldn't
    didn't unclear pass disallowed only irresponsible out off difficult hard inappropriate unethical unwise avoid draw refrain
    happen private confidential none classified personal idk dunno beats who""".split()
)
