r"""Clauses that decline without "i" for a subject: a policy forbids it, it cannot be given, let us leave it.

As in `declining`, every repetition is bounded, and patterns meet one sentence at a time.
"""

from __future__ import annotations

from rl_align.transcript.refusal.declining import ADVERB, CANNOT, HELP, SERVE, WONT
from rl_align.transcript.refusal.words import LY, Cue, any_of, cue

_YOUR = any_of(
    "this that these those it such any your you anything anyone something everything what whatever further more instructions? "
    "information content guidance advice details"
)
_REQUEST = (
    any_of(
        "request question prompt query topic task content information subject instruction command inquiry conversation "
        "material kind type sort"
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
    "fulfil+ed answered completed granted processed provided generated created addressed honou?red discussed shared "
    "accommodated supported allowed permitted displayed shown met handled denied declined rejected refused inappropriate_to "
    "outside beyond"
)
_WEDO = any_of("'m am can could will would 'd 'll should may want feel do")
#: What a person asks for, and the same as something of a kind: "requests like this one".
_ASK = r"(?:requests?|questions?|prompts?|quer(?:y|ies)|inquir(?:y|ies)|tasks?|topics?|material|content|information)"
_KIND = r"(?: (?:of|like|such as) (?:this|that|such|these|those|yours|your|the)(?: \w+){0,2})?"
_POINTS = (
    rf"(?:(?:this|that|such|your|the|these)(?: \w+)? {_ASK}|what you(?:'re| are)? ask(?:ing)?(?: for)?|this|that|it|{_ASK}(?= "
    rf"(?:like|of))){_KIND}"
)
#: Rules of any kind, with what they are about.
_CODE = (
    r"(?:polic(?:y|ies)|rules?(?: \d+)?|regulations?|guidelines?|principles?|instructions|standards?|terms(?: of (?:service|"
    r"use))?)(?: (?:on|about|against|of|for|i follow|i have)(?: \w+){0,4}?)?"
)
#: What is asked for, as a thing that one hands over.
_GOODS = (
    r"(?:help|assistance|support|guidance|information|details?|instructions?|steps?|advice|descriptions?|explanations?|"
    r"answers?|responses?|content|texts?|stor(?:y|ies)|examples?)"
)
_HANDED = (
    r"(?:given|provided|offered|shared|supplied|available|forthcoming|listed|written|produced|created|generated|granted|"
    r"disclosed|withheld|answered|made available)"
)
_TURNED = r"(?:declined|refused|rejected|denied|dismissed|withheld|turned (?:away|down)|left unanswered|left alone|blocked)"
#: The end of a clause: what follows says no more about it.
_END = r"(?:$| (?:and|so|because|since|as|here|outright|by me|from me|in this form|at all|either|which|therefore)\b|[:;])"
_THEME = (
    r"(?:(?:this|that|the|such|another|a different|any other|these|those)(?: \w+)? (?:topics?|subjects?|matters?|questions?|"
    r"ones?|conversation|roads?|areas?|themes?|path|issues?|ground|discussion|territory)|(?:this|that|it)$|something else)"
)

#: Clauses that decline, by family.
IMPERSONAL: tuple[Cue, ...] = (
    cue(
        "assistant ai chatbot bot model",
        r"\b(?:this|the|an?|your) (?:\w+ )?(?:assistant|ai|chatbot|bot|language model)(?: (?:is|will be|would be) (?:unable to|"
        rf"not able to|incapable of)|{CANNOT}|{WONT}){SERVE}",
        family="ability",
    ),
    cue(
        "count answer way",
        r"\bcount me out\b|\bmy answer is no\b|\bno way (?:am i|i'm|i'll|i will|i would)\b|\bthere(?:'s| is) no way (?:that "
        r")?i(?:'m|'ll|'d| am| will| would| can| could)\b",
        family="will",
    ),
    # This is against my guidelines; my programming forbids it …
    cue(
        "guideline guidelines policy policies principle principles programming rule rules terms values ethics standard "
        "standards protocol protocols training code instructions restrictions design purpose scope capabilities abilities "
        "power boundaries purview outside beyond against",
        r"\b(?:against|violat(?:es?|ing|ion of)|breach(?:es|ing)?|contrary to|conflicts? with|inconsistent with|breaks?|"
        r"contravenes?|outside(?: of)?|beyond|(?:not|isn't) (?:\w+ly )?(?:aligned?|in line|consistent|compliant|compatible|in "
        r"accordance|permitted|allowed|"
        rf"within|part)(?: with| by| under| of)?) (?:the )?{_MINE}(?: \w+){{0,2}} {_RULES}\b",
        rf"\b{_MINE}(?: \w+){{0,2}} {_RULES}(?: and \w+)? (?:\w+ly )?{_FORBID}\b",
        r"\b(?:not|isn't) within (?:my|the) (?:\w+ ){0,2}(?:programming|capabilities|scope|guidelines|abilities|power|"
        r"boundaries)\b",
        r"\b(?:beyond|outside)(?: of)? (?:my (?:\w+ )?(?:scope|capabilities|abilities|programming|guidelines|purview|"
        r"boundaries)|(?:what|anything|all)(?: that)? i(?:'m| am| can)(?: able| allowed| permitted| willing)?)\b",
        r"\b(?:goes|go|is|are|be) against (?:my|our|openai'?s?|the (?:ethical|safety|content|usage)) ",
        family="permission",
    ),
    cue(
        "programmed designed trained built instructed made meant here created purpose role function job intended",
        r"\bnot what (?:i'm|i am|i was) (?:here|designed|programmed|made|built|meant|trained)\b|\bnot my (?:purpose|role|"
        r"function|job|intended)\b|\bas an? (?:\w+ ){1,4}(?:programmed|designed|trained|built) (?:not to|never to|to (?:avoid|"
        r"refuse|reject|decline|refrain))\b",
        family="purpose",
    ),
    cue("uncomfortable", r"\bmakes me (?:\w+ly )?uncomfortable\b", family="comfort"),
    # This request cannot be answered; this is nothing that I can help with …
    cue(
        "request requests question prompt query topic task content information subject instruction command inquiry "
        "conversation material kind type sort",
        rf"\b(?:this|that|your|the|such)(?: \w+){{0,3}} {_REQUEST}(?: \w+){{0,2}} "
        r"(?:cannot|can't|can not|will not|won't|is not|isn't|may not|must not|should not|is|are not|falls|goes|"
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
        rf"(?: that| which)? (?:i|we) ?(?:{_WEDO}|put|lend|sign|write|touch|say|share|take on)\b|\bnothing (?:that )?(?:i|we) "
        rf"(?:can|will|could|would) "
        r"(?:help|do|assist|answer)\b",
        r"\b(?:is|are|'s) (?:something|an? (?:topic|subject|request|question|task|thing)|one)(?: that| which)? (?:i|we) "
        r"(?:cannot|can't|won't|will not|must not|refuse|do not|don't|am (?:not|unable)|have to decline|must decline)\b",
        also="i i'm i'd i'll we",
        family="impersonal",
    ),
    cue(
        "assistance help information instructions guidance answer content",
        r"\bno (?:help|assistance|information|instructions|guidance|answer|such content)(?: \w+){0,4} (?:can|will|could|may|"
        r"shall) be (?:given|provided|offered|shared)\b",
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
        r"\b(?:it|that|this) would(?:n't| not)? be (?:\w+ly )?(?:irresponsible|inappropriate|unethical|wrong|unwise|"
        r"appropriate|right|responsible|ethical|okay|ok) (?:of|for) me to\b",
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
        rf"\bi\b[^;:]{{1,100}} (?:but|and|so|therefore|thus|hence|yet)(?: must)?(?: {LY})? (?:(?:cannot|can't|can not|won't|"
        rf"will not|am unable to|unable to){SERVE}|must (?:{LY} )?(?:decline|refuse)\b)",
        also="i i'm i'd i'll i've",
        family="elided",
    ),
    cue(
        "we we're",
        rf"\bwe(?:{CANNOT}|{WONT}| do not| don't|(?: are|'re) (?:unable|not able) to){ADVERB} "
        r"(?:help|assist|provide|comply|fulfil+|support|answer|offer|process|accommodate|complete|share)(?: (?:you|help|"
        rf"assistance|support|information|advice))?(?: with| to| on| for)? {_YOUR}\b",
        also="cannot can't can won't will unable not never don't",
        family="elided",
    ),
    # Under this rule such requests must be declined; the policy demands a refusal …
    cue(
        "declined refused rejected denied dismissed withheld turned left blocked refusal decline refuse",
        rf"(?:\b(?:says?|requires?|demands?|states?|asks|wants?|means?) that )?\b{_ASK}{_KIND} (?:must|has to|have to|should|"
        r"needs? to|are to|"
        rf"is to|will|shall|can only|may only)(?: \w+ly| always| never| thus| therefore)? be {_TURNED}{_END}",
        rf"\brequir(?:es?|ing) that (?:such|these|those|this|the)(?: \w+)? {_ASK}{_KIND} be {_TURNED}{_END}",
        rf"\b{_CODE} (?:\w+ly )?(?:requires?|demands?|dictates?|obliges?|asks?|instructs?|calls? for|tells?|compels?)(?: that)? "
        r"(?:an? )?(?:refusal|(?:(?:i|me|us|the assistant)(?: to| must)? )(?:decline|refuse|leave|withhold|reject|turn|not|"
        r"avoid|refrain))\b",
        family="permission",
    ),
    # The policy on danger forbids an answer; my instructions rule this out …
    cue(
        "policy policies rule rules regulation regulations guideline guidelines principle principles instructions standard "
        "standards terms",
        rf"\b(?:the|this|that|an?|our|my|these|applicable)(?: \w+){{0,2}} {_CODE} (?:\w+ly )?(?:forbids?|prohibits?|disallows?|"
        r"bars?|prevents?|rules? out|excludes?|(?:do|does)(?: not|n't) (?:permit|allow|let)|don't (?:permit|allow|let)) "
        r"(?:an? (?:answer|response|reply)|me\b|us from|answering|helping|assist\w+|such (?:help|assistance|content|requests?|"
        r"material)|(?:this|that|it)(?:$| (?:kind|type|sort|request|content|from|being)\b))",
        rf"\b{_CODE} (?:rules? (?:this|that|it|such \w+) out|leaves? no room for (?:this|that|it|such)\b|puts? (?:this|that|it|"
        r"such \w+) (?:outside|beyond|off))\b",
        rf"\b(?:not|nothing) (?:something )?(?:that )?(?:the|my|our)(?: \w+)? {_CODE} (?:lets?|allows?|permits?)\b",
        rf"\b(?:in breach of|violat(?:es|ing)|breach(?:es|ing)|contrary to|against|conflicts? with) (?:the|our|my)(?: "
        rf"\w+){{0,2}} {_CODE}"
        r"(?: and|,)? (?:so |thus |therefore )?(?:it )?(?:will|can|must|may|is)(?: not|not)? (?:be )?(?:processed|answered|"
        rf"{_TURNED})",
        also="forbids forbid prohibits prohibit disallows disallow bars prevents prevent rules rule excludes not don't doesn't "
        "leaves leave puts put lets let allows permits processed answered declined refused rejected denied",
        family="permission",
    ),
    # This falls under restricted content; what you ask for is disallowed by the policy …
    cue(
        "restricted prohibited forbidden disallowed banned blocked unsafe impermissible permitted allowed off-limits",
        rf"\b{_POINTS}(?: is| are|'s| falls? (?:under|into|within)| counts? as| qualif(?:y|ies) as| touch(?:es)?(?: on| upon)?| "
        r"concerns?| belongs? to)(?: (?:classified|classed|considered|regarded|treated|seen|marked|flagged)(?: as)?)?(?: an?| "
        r"the)?(?: \w+ly)? (?:(?:restricted|prohibited|forbidden|disallowed|banned|impermissible|off-limits|unsafe|not "
        r"(?:permitted|allowed)) (?:content|materials?|topics?|territory|categor(?:y|ies)|subjects?|requests?|information)|"
        r"(?:restricted|prohibited|forbidden|disallowed|banned|blocked|not (?:permitted|allowed))(?:$| (?:so|and|which)\b| "
        r"(?:by|under) (?:the|our|my)(?: \w+){0,2} (?:polic|rule|regulation|guideline|principle|standard|term)))",
        rf"\b{_ASK}{_KIND} (?:is|are) not permitted\b",
        family="permission",
    ),
    # Help with this is not available; such a description will not be produced; there will be no instructions …
    cue(
        "help assistance support guidance information detail details instruction instructions step steps advice description "
        "descriptions explanation explanations answer answers response responses content text texts story stories example "
        "examples question questions",
        rf"\b(?:(?:such|this|that|your|an?|any)(?: \w+)? )?(?:{_GOODS}|questions?)(?: (?:with|about|on|for|of|like|in)(?: "
        rf"\w+){{0,2}} (?:this|"
        r"that|such|it|those|these)(?: (?:kind|sort|type|matter|topic|request|question|subject|an? \w+|\w+ing))?)? (?:cannot|"
        r"can't|can not|could not|will not|won't|is not|isn't|are not|aren't|may not|must not|shall not|has been|have been|is "
        r"being)(?: going to| to)?"
        rf"(?: be)?(?: \w+ly)? (?:{_HANDED}|offered){_END}",
        rf"\bno (?:\w+ ){{0,1}}(?:{_GOODS})(?: \w+){{0,3}} (?:is|are|will be|can be|could be|may be|shall be)(?: \w+ly)? {_HANDED}"
        r"(?! (?:in|by) the (?:text|passage|image|picture|article|question))\b",
        rf"\bthere (?:will|shall|can) be no (?:\w+ ){{0,2}}(?:{_GOODS})(?: (?:from me|here|on this|of this|about this|for this))?$",
        r"\byou (?:will not|won't|will never|are not going to|aren't going to) (?:get|hear|find|receive|have|see)\b.{0,50} "
        r"(?:from me|here)$",
        also="no not cannot can't won't isn't aren't hasn't been",
        family="impersonal",
    ),
    # The assistant declines; one must decline; this model will leave it …
    cue(
        "assistant ai chatbot bot model system one",
        r"\b(?:this|the|an?|your)(?: \w+)? (?:assistant|ai|chatbot|bot|(?:language )?model|system) (?:\w+ly )?(?:(?:refuses|"
        r"declines|chooses "
        rf"not|prefers not|is choosing not|is not going) to {HELP}|(?:refuses|declines)$|(?:does not|doesn't){SERVE}|(?:will|must|"
        r"has to) (?:\w+ly )?(?:decline|refuse|leave (?:this|that|it|the (?:question|request)|your \w+))\b)",
        r"\bone (?:must|should|has to|ought to|can only) (?:\w+ly )?(?:decline|refuse)\b|\bone (?:does not|doesn't|cannot|"
        r"can't|must not|"
        rf"should not|will not){SERVE} (?:with )?(?:this|that|such|these|those)\b",
        also="refuses declines chooses prefers not doesn't cannot can't decline refuse leave choosing",
        family="ability",
    ),
    # Not from me; this is where I stop; my answer is no …
    cue(
        "me refusal no stop draw end leave far without elsewhere silence",
        r"^(?:not|nothing|none of (?:this|that)) from me$|\b(?:this|that)(?:'s| is) (?:as far as i(?:'ll| will| can)? go|where "
        r"i(?:'ll| will| have to| "
        r"must)? (?:stop|draw|end|leave))\b",
        r"^(?:please )?(?:consider|take) (?:this|that) (?:as )?(?:to be )?(?:an?|my) (?:refusal|no)\b|\b(?:my|the) (?:answer|"
        r"reply|response)(?: to (?:this|that|it|these|such \w+|your \w+))? (?:is|remains|stays|can only be|must be|has to be) "
        r"(?:an? )?(?:\w+ )?(?:no(?! (?:longer|more|less|different|other|better|one|matter|such|doubt|\w+er))|refusal|silence)\b|"
        r"\ba refusal is (?:what i|my|the)\b",
        r"\byou(?:'ll| will| would) (?:have|need) to (?:do|manage|go|cope|look|find)\b.{0,30}\b(?:without (?:me|my)|elsewhere)\b",
        family="will",
    ),
    # The second half I leave out; that part stays unanswered; how it is done I keep to myself
    cue(
        "part half rest question how getting making",
        r"\b(?:part|half|rest|question)\b.{0,60}? (?:(?:stays|remains|goes|is left|will (?:stay|remain|go|be left)) (?:unanswered|"
        r"unsaid|unexplained|out|aside|untold)|i(?:'ll| will| must| have to)? (?:leave (?:out|aside|alone|unanswered)|skip|pass "
        r"over|"
        r"keep to myself|refuse|decline))(?:$| (?:because|since|as|and|so)\b)",
        r"^(?:how|getting|making|where|what) .{3,80}? i(?:'ll| will| must| have to)? (?:keep to myself|leave (?:out|aside|alone|"
        r"unsaid)|"
        r"skip|(?:won't|will not|can't|cannot|don't) (?:go into|say|tell|explain|share|describe|discuss))$",
        also="unanswered unsaid unexplained untold out aside alone skip pass keep refuse decline won't will can't cannot don't",
        family="impersonal",
    ),
    # Let's leave this topic; it would be better to drop the subject …
    cue(
        "let's let we we'd better best wiser wise sooner preference conversation",
        r"\b(?:let's|let us|we(?:'d better| had better| should| ought to| could)|(?:better|best|wiser|wise|safer)(?: not)? to|"
        r"(?:better|best|wiser|wise|safer) if we)(?: (?:not|rather|better|just|simply|please|all|both)){0,2} (?:avoid|skip|"
        r"drop|leave|steer (?:clear of|away from)|stay (?:clear of|away from|off|out of)|keep (?:away from|off|clear of|out "
        r"of)|move (?:away|on|off)(?: from| to)?|set|put|pick|"
        rf"choose|change|switch(?: to)?|park|close|turn(?: away)?(?: from| to)?|go (?:down|into|near|there)|get into) {_THEME}",
        r"\bmy preference (?:is|would be) (?:not to|to (?:leave|avoid|skip|pass))\b|\bi(?:'d| would) (?:sooner|like to|prefer "
        r"to|rather) (?:keep (?:our|the|this) conversation away|(?:talk|speak|chat) about (?:an?other|a different|something "
        r"else))\b",
        also="avoid skip drop leave steer stay keep move set put pick choose change switch park close turn go get pass talk "
        "speak chat",
        family="will",
    ),
)
