r"""Clauses in which the speaker declines the request: who speaks, a negation, a verb of serving somebody.

Every family is one construction of the grammar. All repetitions are bounded, and patterns meet one sentence of at
most 400 characters at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rl_align.transcript.refusal.reading import Unit
from rl_align.transcript.refusal.words import LY, any_of, cue, union

_NEVER = any_of("cannot can't won't will_not should_not shouldn't must_not would_not wouldn't do_not don't")
_ADVERBS = any_of(
    f"{LY} also just even ever still however therefore of_course not now at_this_time at_all in_good_conscience "
    f"in_any_(?:way|form|manner) under_any_circumstances? "
    rf"under_no_circumstances? as_an?_(?:\w+_){{0,4}}(?:ai|model|assistant) (?:and|or|nor)_(?:i_)?{_NEVER.replace(' ', '_')}"
)
ADVERB = rf"(?: {_ADVERBS}){{0,3}}"
_BEFORE = rf"(?: (?:{LY}|also|just|still|sure|do))?"
CANNOT = _BEFORE + r" (?:can(?:not|'t|t| not| never| no longer)|could(?: not|n't) possibly)"
WONT = (
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
    r"(?:exact|precise)(?!_(?:dos\w+|amounts?|quantit\w+|steps?|methods?|recipes?|formulas?|instructions?|details|passwords?|"
    r"codes?)) "
    "definite definitive real-time live current up-to-date one-size single complete_list full_list exhaustive "
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
        r"name label quote cite pinpoint stand_behind lend_(?:a_hand|myself) hand_over go_further reproduce recite transcribe"
    )
    + r"\b"
)
SERVE = rf"{ADVERB} {_REALLY}{HELP}"
#: Verbs of perceiving, knowing and feeling: their negation declines nothing.
_OTHERWISE = any_of(
    "believe stand see imagine wait prove remember understand tell find hear stress overstate emphasi[sz]e say think deny undo "
    "verify confirm guarantee promise beat top resist forget read attend make_it come know recall access open view locate "
    "determine predict feel_it blame change_that be_(?:certain|sure)"
)
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

_MAY = (
    rf"(?:(?:'m| am|'ve| have|'ll| will|'d| would| must| need to| have to)(?: going to| about to| had to)?)?"
    rf"(?: {LY}| also| just| now| simply){{0,2}}"
)

#: What follows the subject "i" in a clause that declines, by family. Matched at the subject.
STRONG_OF_I: Mapping[str, str] = {
    # I cannot, I am unable to …
    "ability": rf"i(?:{CANNOT}|{UNABLE}){SERVE}",
    # I will not, I'd rather not, I decline …
    "will": union(
        rf"i{WONT}{SERVE}",
        rf"i{_BEFORE} (?:do not|don't|never){ADVERB} {_REALLY}(?:help|assist|provide|engage|create|generate|produce|discuss|"
        rf"share|facilitate|"
        r"participate|comply|offer|write|answer|respond|do (?:that|this)|give (?:out|advice|instructions|information))\b",
        rf"i{_TURNED}",
        r"i(?:'d| would)(?: much)? (?:rather|prefer(?: to)?) not\b|i (?:prefer|choose) not to\b",
        rf"i(?:'m| am)(?: {LY})? (?:not (?:willing|prepared|interested|inclined|ready|open|keen|disposed)|unwilling)\b",
        r"i (?:have no (?:intention|interest|desire|wish)|want no part|(?:want|will have|have|'ll have) nothing to do with)\b",
        # I keep my hands off this, I sit this one out
        rf"i{_MAY} (?:(?:keep|keeping) my (?:hands|fingers) off|wash(?:ing)? my hands of|sit(?:ting)? (?:this|that)(?: one)? out|"
        r"(?:take|taking|have|having|play|playing) no part in|step(?:ping)? (?:back|away) from (?:this|that|such))\b",
        # I'm choosing not to, I've decided against it, I stay out of this
        rf"i{_MAY} (?:choos(?:e|ing)|opt(?:ing|ed)?|elect(?:ing|ed)?|decid(?:e|ed|ing)|chosen|prefer(?:ring)?) (?:not to{SERVE}|"
        r"against (?:(?:answer|help|assist|respond|reply|provid|giv|shar|writ|discuss|explain|continu|tak|go)ing\b|(?:it|this|"
        r"that)$)|(?:not )?to (?:stay (?:out|silent|away)|abstain|leave (?:this|that|it)|keep (?:out|silent|quiet)|refrain|"
        r"remain silent|say nothing|continue (?:here|with))\b)",
        # I'm going to stop here, I draw a line at that, I leave this unanswered
        rf"i{_MAY} (?:(?:stop|end|leave (?:it|this|that|things)|leaving (?:it|this|that)|stopping) (?:right )?(?:here|there|"
        r"at this point)(?:$| (?:and|because|since|as)\b)|(?:draw|drawing) (?:the|a|my)(?: \w+)? line(?:$| (?:here|there|"
        r"at (?:this|that)|and)\b)|leav(?:e|ing) (?:this|that|the|your|it)(?: \w+){0,2} (?:alone|unanswered|aside|out of (?:this|"
        r"it))\b)",
        rf"i{_MAY} (?:(?:stay|staying|remain|keep|keeping) (?:silent|quiet)|(?:stay|staying|keep|keeping) out of (?:this|that|it|"
        r"such|\w{3,}ing)\b|bow(?:ing)? out\b|(?:stay|staying|keep|keeping|steer|steering|shy|shying) (?:well )?(?:away|clear)(?: "
        r"from| of) (?:this|that|such|"
        r"these|those|requests?|topics?|questions?|anything)|set(?:ting)? (?:a|my)(?: \w+)? (?:boundary|limit)|withhold(?:ing)?)\b",
        r"i(?:'m| am) not (?:the|your) (?:right )?(?:one|person|assistant|place) (?:to ask|for (?:this|that|it))\b",
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
        rf"i(?:{CANNOT}|{WONT}){ADVERB} (?!{_OTHERWISE}\b){_REALLY}\w+(?: \w+)?(?: \w+)? "
        rf"(?:that|this|those|such|your request)(?:,? (?:but|as|because|since|so)\b|$)"
    ),
}
#: I'm sorry, but I can't + any verb of doing: matched at the subject where the sentence regrets before it.
REGRETTED = rf"i(?:{CANNOT}|{WONT}|{UNABLE}){ADVERB} (?!{_OTHERWISE}\b){_REALLY}\w"
REGRETS = re.compile(r"\b(?:sorry|apologi[sz]e|apologies|regret|unfortunately|afraid|regrettably|sadly)\b")
REGRET_WORDS = frozenset("sorry apologize apologise apologies regret unfortunately afraid regrettably sadly".split())

#: Sentences without a subject: can't help; unable to comply.
ELIDED = re.compile(
    union(
        rf"(?:{_LEAD} ){{0,4}}(?:(?:cannot|can't|can not|won't|will not|unable to|not able to|not going to|would rather not|"
        rf"refuse to){SERVE}|(?:must|have to|has to|gotta|going to have to) (?:{LY} )?(?:decline|refuse|pass)\b|no can do|"
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
    "if when whenever unless until whether like say says said saying says: said: reads: reads shows: states: tell tells told write "
    "writes wrote reply replies replied "
    "answers answered claim claims thinks thought speaker narrator he she they character protagonist",
    r"\b(?:if|when|whenever|unless|until|whether|like)(?: that)? $|\b(?:say|says|said|saying|tell|tells|told|writes?|wrote|"
    r"replie[sd]|answers|answered|claims?|thinks|thought|speaker|narrator|he|she|they|character|protagonist)\b[^.;:]{0,24} "
    r"(?:that )?$|\b(?:says?|reads?|said|states?|shows?|saying|reading|text|words?|writing|caption): (?:[^.;:]{0,24} )?$",
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
    choosing opt opting opted elect electing elected decide deciding decided leave leaving draw drawing silent quiet stay
    staying keep keeping steer steering withhold withholding stop stopping boundary limit dismissed withheld turned
    unanswered blocked refusal forbids rules leaves excludes disallows bars puts lets restricted disallowed unsafe
    impermissible permitted skip drop pick change switch park close refuses declines without elsewhere where far happen
    private confidential none classified personal idk dunno beats who""".split()
)
