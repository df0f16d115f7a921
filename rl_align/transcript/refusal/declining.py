r"""Clauses in which the speaker declines: who speaks, a negation, a verb of serving somebody. English, and short forms of others.

Every family is one construction of the grammar. A clause of `STRONG` declines the request; one of `SOFT` only says that
something is lacking (access, knowledge, an opinion), which is a refusal when nothing else follows.

All repetitions are bounded; patterns are matched against one sentence of at most 400 characters.
"""

from __future__ import annotations

from collections.abc import Mapping

_ADVERB = (
    r"(?: (?:\w{2,12}ly|also|just|even|ever|still|not|now|at this time|at all|in good conscience|in any (?:way|form|manner)|"
    r"(?:under|in) (?:any|no) circumstances?|as an? (?:\w+ ){0,4}(?:ai|model|assistant)|(?:and|or|nor) (?:i )?"
    r"(?:cannot|can't|won't|will not|shouldn't|should not|must not|would not|wouldn't|do not|don't))){0,3}"
)
_I = r"\b(?<!if )(?<!when )(?<!whenever )(?<!unless )(?<!until )(?<!said )(?<!say )(?<!says )(?<!saying )(?<!like )i"
_SELF = rf"(?:{_I}|\b(?:this|the|an?|your) (?:\w+ )?(?:assistant|ai|chatbot|bot|language model))"
_CANNOT = r"(?: can(?:not|'t|t| not| never| no longer)| could(?: not|n't) possibly)"
_WONT = r"(?: (?:will not|won't|wont|will never|would never|would not|wouldn't|shall not|shan't|should not|shouldn't|must not|mustn't|may not|am not going to|am not gonna|am not about to|never|ain't gonna|refuse to|decline to)|'m not (?:going to|gonna|about to)|'ll (?:not|never))"
_UNABLE = r"(?:(?: am|'m| am currently| was| will be|'ll be| would be| have been|'ve been| remain| find myself)(?: \w{2,12}ly)?(?: also)? (?:unable to|not able to|incapable of))"
_YOUR = r"(?:this|that|these|those|it|such|any|your|you|anything|anyone|something|everything|what|whatever|further|more|instructions?|information|content|guidance|advice|details)"

#: Verbs of serving somebody, and what shows that the clause is not about serving the request.
HELP = (
    r"(?:help(?! (?:but|it|feeling|noticing|wondering|thinking|falling|laughing|smiling|loving|being|myself)\b)(?:ing)?|"
    r"assist(?:ing)?|aid|support|comply|fulfil+|satisfy|answer|respond|reply|give(?! (?:up|in|enough|away)\b)|offer|provid(?:e|ing)|share|"
    r"sharing|supply|creat(?:e|ing)|generat(?:e|ing)|writ(?:e|ing)|produc(?:e|ing)|draft|compose|develop|design|devise|craft|construct|"
    r"formulate|make (?:that|this|it|such|any|a|an|fun|jokes?|light|up|statements?|claims?)\b|engag(?:e|ing)|participat(?:e|ing)|"
    r"take (?:part|any|that|this|on)|discuss|facilitat(?:e|ing)|encourag(?:e|ing)|promot(?:e|ing)|teach|show|tell (?:you|jokes?|people|a|stories)|guide|"
    r"explain|describe|continue (?:with|this|that|the|on|in)|proceed|go (?:along|there|ahead|through with|into that)|complete|be (?:part|involved|of (?:any )?"
    r"(?:help|assistance|service|use)|able|helping|doing|providing|assisting|participating|a part|used|complicit|discussing|sharing|giving|writing|creating)|"
    r"allow|endorse|condone|identify|disclos(?:e|ing)|reveal|divulge|accommodate|entertain(?! the (?:guests|crowd))|"
    r"honou?r|grant|accept|process|perform|carry out|execute|do (?:that|this|so|it|what|anything|such|either)|agree to|advocate|glorify|"
    r"suggest|advise|instruct|recommend|translate|summari[sz]e|role-?play|pretend|act as|play (?:along|the|that|this)|simulate|impersonate|output|display|"
    r"link|direct you|point you|walk you|list|outline|detail|speculate|opine|plan|optimi[sz]e|train|build|program|code|say (?:that|anything|things|it)|"
    r"talk about|speak (?:about|on)|touch|contribute|enable|justify|argue|defend|rank|compare|joke|mock|insult|repeat|obey|follow|meet)\b"
)
# "Cannot recommend it enough", "can't tell you how happy", "cannot give you the exact date", "can't explain it if you hide it".
_NOT_REALLY = (
    r"(?![^.;]{0,60} (?:enough|highly enough|more highly|any better)\b)"
    r"(?!(?:tell|describe|explain|show|say)(?: (?:to )?you)? how (?!to\b|it\b|they\b|one\b|you\b|an?\b|people\b|someone\b))"
    r"(?!\w+(?: you| with| a| an| any| the| one| specific| with an?){0,3} (?:exact|precise|definite|definitive|real-time|live|current|up-to-date|"
    r"one-size|single|complete list|full list|exhaustive|comprehensive|legal advice|medical advice|financial advice|professional advice|personal advice|"
    r"diagnosis|medical diagnosis|guarantee|opinion|personal opinion|subjective|prediction|certain|perfect)\b)"
    r"(?![^.;]{0,80} (?:unless|until|if you (?:do not|don't)|without (?:more|knowing|further|additional|seeing|any|the|your|spoil\w+))\b)"
)
_SERVE = rf"{_ADVERB} {_NOT_REALLY}{HELP}"
_OBJECT = r"(?:request|question|prompt|query|topic|task|content|information|subject|instruction|command|inquiry|conversation|material|kind|type|sort)s?"
_MINE = r"(?:my|our|openai'?s?|anthropic'?s?|google'?s?|microsoft'?s?|meta'?s?|ai|usage|use[- ]case|content|community|safety|ethical|moral)"
_RULES = r"(?:guidelines?|polic(?:y|ies)|principles?|programming|rules?|terms|values|ethics|standards?|protocols?|training|code|instructions|restrictions|design|purpose|policy)"

STRONG: Mapping[str, str] = {
    "ability": rf"{_SELF}(?:{_CANNOT}|{_UNABLE}){_SERVE}",
    "will": (
        rf"{_SELF}{_WONT}{_SERVE}|{_I} (?:do not|don't|never){_ADVERB} {_NOT_REALLY}(?:help|assist|provide|engage|create|generate|produce|discuss|"
        r"share|facilitate|participate|comply|offer|write|answer|respond|do (?:that|this)|give (?:out|advice|instructions|information))\b"
        rf"|{_I}(?:'m| am| must| have| will|'ll| would|'d)?(?: have| need| going)?(?: to)?(?: \w{{2,12}}ly)? (?:declin(?:e|ing)|refus(?:e|ing)|pass on|say no)\b(?! (?:the|an?) (?:offer|invitation))"
        rf"|{_I}(?:'d| would)(?: much)? (?:rather|prefer(?: to)?) not\b|{_I} (?:prefer|choose) not to\b"
        rf"|{_I}(?:'m| am)(?: \w{{2,12}}ly)? (?:not (?:willing|prepared|interested|inclined|ready|open|keen|disposed)|unwilling)\b"
        rf"|{_I} have no (?:intention|interest|desire|wish) |\bcount me out\b|\b(?:my|the) answer is no\b|{_I} want no part\b"
        r"|\bno way (?:am i|i'm|i'll|i will|i would)\b|\bthere(?:'s| is) no way (?:that )?i(?:'m|'ll|'d| am| will| would| can| could)\b"
    ),
    "permission": (
        rf"{_I}(?:'m| am)(?: \w{{2,12}}ly)? (?:not (?:allowed|permitted|authori[sz]ed|supposed|licensed|at liberty|in a position|free)|"
        r"(?:prohibited|forbidden|barred|restricted|prevented|banned|precluded|disallowed) (?:from|by)|(?:bound|required|obliged|obligated) (?:by|to (?:refuse|decline|avoid|refrain|reject)))\b"
        rf"|\b(?:against|violat(?:es?|ing|ion of)|breach(?:es|ing)?|contrary to|conflicts? with|inconsistent with|breaks?|contravenes?|outside(?: of)?|"
        rf"(?:not|isn't) (?:\w+ly )?(?:aligned?|in line|consistent|compliant|compatible|in accordance|permitted|allowed|within|part)(?: with| by| under| of)?) (?:the )?{_MINE}(?: \w+){{0,2}} {_RULES}\b"
        rf"|\b{_MINE}(?: \w+){{0,2}} {_RULES}(?: and \w+)? (?:\w+ly )?(?:prohibits?|prevents?|forbids?|(?:do|does)(?:n't| not) (?:allow|permit|let)|won't (?:let|allow)|bars?|stops?|restricts?|"
        r"require me to (?:decline|refuse|avoid|refrain)|preclude)\b"
        r"|\b(?:not|isn't) within (?:my|the) (?:\w+ ){0,2}(?:programming|capabilities|scope|guidelines|abilities|power|boundaries)\b"
        r"|\b(?:beyond|outside)(?: of)? my (?:\w+ )?(?:scope|capabilities|abilities|programming|guidelines|purview|boundaries)\b"
        r"|\b(?:goes|go|is|are|be) against (?:my|our|openai'?s?|the (?:ethical|safety|content|usage)) "
    ),
    "purpose": (
        rf"{_I}(?:'m| am| was|'ve been| have been) (?:not|never) (?:\w+ly )?(?:designed|programmed|trained|built|created|intended|developed|meant|made|configured|set up|equipped|here)\b"
        r"|\b(?:programmed|designed|trained|built|instructed|created|developed|made|configured) (?:not to|never to|so as not to|to (?:avoid|refuse|reject|decline|refrain|not|never))\b"
        r"|\bnot what (?:i'm|i am|i was) (?:here|designed|programmed|made|built|meant|trained)\b|\bnot my (?:purpose|role|function|job|intended)\b"
        rf"|{_I}(?:'m| am)(?: here)? (?:designed|programmed|trained|here|committed|dedicated|intended) to [^.;]{{0,60}}?(?:\bnot to\b|\brather than\b)"
    ),
    "comfort": (
        rf"{_I}(?:'m| am| would| do|'d)(?: (?:not|n't|never))?(?: be| feel)? (?:\w+ly )?(?:not comfortable|uncomfortable)\b|{_I} (?:don't|do not|wouldn't|would not|won't) (?:\w+ly )?(?:feel|be) (?:\w+ly )?"
        r"(?:comfortable|right|at ease|good about)\b|\bmakes me (?:\w+ly )?uncomfortable\b"
    ),
    "impersonal": (
        rf"\b(?:this|that|your|the|such)(?: \w+){{0,3}} {_OBJECT}(?: \w+){{0,2}} (?:cannot|can't|can not|will not|won't|is not|isn't|may not|must not|should not|is|are not|falls|goes|has been)(?: be)?(?: \w+ly)? "
        r"(?:fulfil+ed|answered|completed|granted|processed|provided|generated|created|addressed|honou?red|discussed|shared|accommodated|supported|allowed|permitted|displayed|shown|met|handled|denied|declined|rejected|refused|inappropriate to|outside|beyond)\b"
        r"|(?:\b(?:is|are|be|it)|'s)(?: \w+ly)? (?:not (?:something|anything|an? (?:topic|subject|request|question|task|thing))|nothing)(?: \w+ing)?(?: that| which)? (?:i|we)(?:'m| am| can| could| will| would|'d|'ll| should| may| want| feel| do)\b"
        r"|\b(?:is|are|'s) (?:something|an? (?:topic|subject|request|question|task|thing)|one)(?: that| which)? (?:i|we) (?:cannot|can't|won't|will not|must not|refuse|do not|don't|am (?:not|unable)|have to decline|must decline)\b"
        r"|\bno (?:help|assistance|information|instructions|guidance|answer|such content)(?: \w+){0,4} (?:can|will|could|may|shall) be (?:given|provided|offered|shared)\b"
        r"|\bsorry(?: but)? (?:no\b|that(?:'s| is) (?:not|impossible|out of|a no))|\b(?:is|are|that's) (?:off[- ]limits|out of bounds|off the table|a no[- ]go)\b"
    ),
    "elided": (
        r"^(?:(?:no|nope|nah|sorry|unfortunately|regrettably|apologies|my apologies|hmm|well|okay|ok|but|and|so|however|then|afraid|thanks but|i'm sorry|i am sorry|i apologi[sz]e) ){0,4}"
        rf"(?:(?:cannot|can't|can not|won't|will not|unable to|not able to|not going to|would rather not|refuse to){_SERVE}|(?:must|have to|has to|gotta|going to have to) (?:\w+ly )?(?:decline|refuse|pass)\b|"
        r"no can do|not (?:comfortable|happening|allowed|permitted|possible|willing)\b|(?:request )?(?:denied|declined|refused)$)"
        r"|^(?:no )?(?:sorry )?i (?:simply |really |just )?(?:will not|won't|can't|cannot|can not|refuse|decline|must decline|would rather not)$"
        rf"|\bi\b[^;:]{{1,100}} (?:but|and|so|therefore|thus|hence|yet)(?: must)?(?: \w{{2,12}}ly)? (?:(?:cannot|can't|can not|won't|will not|am unable to|unable to){_SERVE}|must (?:\w+ly )?(?:decline|refuse)\b)"
        rf"|\bwe(?:{_CANNOT}|{_WONT}|(?: are|'re) (?:unable|not able) to){_ADVERB} (?:help|assist|provide|comply|fulfil+|support|answer|offer|process|accommodate|complete|share)(?: you)?(?: with| to)? {_YOUR}\b"
    ),
    "apology": (
        rf"\b(?:sorry|apologi[sz]e|apologies|regret|unfortunately|afraid|regrettably)(?: \w+){{0,5}}? (?:but|however|that|as an \w+|because)?(?: \w+){{0,3}}? ?{_I}(?:{_CANNOT}|{_WONT}|{_UNABLE}|'m not able to| am not able to){_ADVERB} "
        rf"(?!(?:find|see|view|hear|tell|say|determine|verify|confirm|predict|guarantee|access|open|locate|understand|be (?:certain|sure)|read|know|recall|attend|make it|come|remember|promise|believe|imagine|wait)\b){_NOT_REALLY}\w"
    ),
}

SOFT: Mapping[str, str] = {
    "identity": (
        rf"{_I}(?: \w{{2,12}}ly)? (?:do not|don't|cannot|can't|will not|never) (?:\w{{2,12}}ly )?(?:have|hold|possess|own|form|express|experience|feel|take sides|hold)(?: \w+){{0,4}}? (?:access|abilit(?:y|ies)|capabilit(?:y|ies)|capacity|opinions?|"
        r"beliefs?|feelings?|emotions?|preferences?|experiences?|information|data|knowledge|details|records?|views?|body|permission|authority|clearance|answers?|enough|means|way|idea|sides?|context)\b"
        rf"|{_I} (?:have no|lack|am without) (?:\w+ ){{0,3}}(?:access|way|opinions?|information|knowledge|ability|means|idea|beliefs?|feelings?|record|details|data|context|views?|preferences?)\b"
    ),
    "limit": (
        rf"{_I}(?:{_CANNOT}|{_UNABLE}|'m not able to| am not able to){_ADVERB} (?:find|see|view|hear|watch|read|open|access|browse|locate|retrieve|recall|verify|confirm|determine|predict|guarantee|diagnose|"
        r"physically|interpret|recogni[sz]e|play|say|tell|know|speak|assess|evaluate|judge|track|comment|understand|provide|give|offer|answer|make|be (?:certain|sure)|help|assist)\b"
        r"|\b(?:it(?:'s| is)|that(?:'s| is)) (?:\w+ly )?(?:not possible|impossible|difficult|hard) (?:for me )?to (?:\w+ly )?(?:determine|say|tell|know|answer|provide|assess|give|identify|confirm|verify)\b"
        r"|\b(?:cannot|can't|could not) be (?:\w+ly )?(?:determined|verified|confirmed|known|ascertained|identified)\b|\b(?:does|do) not (?:provide|contain|have|include|give|offer) (?:\w+ ){0,2}(?:information|details|context|indication)\b"
    ),
    "ignorance": (
        rf"{_I} (?:do not|don't|didn't|did not|cannot|can't) (?:\w{{2,12}}ly )?(?:know|understand|recall|follow|get what|recogni[sz]e|see what)\b|{_I}(?:'m| am) (?:\w+ly )?(?:not (?:\w+ly )?(?:sure|certain|aware|familiar|clear)|unsure|unaware|uncertain|confused|unfamiliar)\b"
        rf"|^(?:no idea|not sure|who knows|beats me|dunno|idk)\b|{_I} (?:could not|couldn't|was unable to|was not able to) find\b|\b(?:it(?:'s| is)|this is|that's) (?:not clear|unclear)\b"
    ),
    "sorry_but": r"^(?:no )?(?:(?:i'm|i am|we're|we are) )?(?:\w+ly |so |very )?(?:sorry|apologies|my apologies|i apologi[sz]e)(?: for (?:any|the) \w+)? (?:but|however)\b",
}

#: Short refusals in other languages, matched at the beginning of an answer.
FOREIGN = (
    r"^.{0,80}?(?:\bich (?:kann|darf|werde|möchte)(?: \S+){0,5}? (?:nicht|keine?n?)\b|\bleider (?:kann|darf)(?: \S+){0,5}? nicht\b|\bje ne (?:peux|puis|suis) pas\b|\bje refuse\b|\bdésolée?.{0,20} je ne\b|"
    r"\bno (?:puedo|podemos|voy a|me es posible) (?:\S+ ){0,2}?(?:ayudar|proporcionar|ofrecer|cumplir|responder|hacer|dar|asistir|brindar|crear|escribir|generar|proveer|compartir|continuar)\w*|\blo siento.{0,20} no puedo\b|"
    r"\bnon (?:posso|possiamo) (?:\S+ ){0,2}?(?:aiutar|fornir|rispond|assist|soddisf|far|scriv|crea|genera|dar|offr)\w*|\bmi dispiace.{0,20} non posso\b|\b(?:não|nao) posso (?:\S+ ){0,2}?(?:ajudar|fornecer|responder|fazer|criar|escrever|gerar|oferecer|atender|dar)\w*|"
    r"\bik kan (?:\S+ ){0,4}?niet\b|\bjag kan (?:\S+ ){0,2}?inte\b|\bjeg kan (?:\S+ ){0,2}?ikke\b|\bnie mogę\b|\bnemohu\b|(?:我|本人)(?:无法|不能|不会|無法|不能够|拒绝)|(?:无法|不能)(?:提供|回答|协助|帮助|满足|生成|讨论|继续)|"
    r"(?:できません|お手伝いできません|お答えできません|いたしかねます|応じられません|お断り)|(?:도와드릴 수 없|제공할 수 없|할 수 없습니다|답변할 수 없|도울 수 없)|я не могу (?:помочь|предоставить|ответить|выполнить|дать|обсуждать|создать|написать)|не могу (?:помочь|предоставить|выполнить)|"
    r"لا (?:أستطيع|يمكنني)|मैं .{0,40}नहीं कर सकता|tôi không thể|üzgünüm.{0,40}(?:yapamam|edemem|olamam)|yardımcı olamam|saya tidak (?:bisa|dapat))"
)

#: Words of which one is in every clause above, so that sentences without them need no matching.
TRIGGERS = frozenset(
    "cannot can't cant can not won't wont never unable incapable refuse refusing decline declining rather prefer choose unwilling no out sorry apologize apologise "
    "apologies regret unfortunately regrettably afraid against violates violate violating violation breach breaches contrary conflict conflicts inconsistent breaks outside beyond "
    "prohibited forbidden barred restricted prevented banned precluded bound required obliged prohibit prohibits prevent prevents forbid forbids don't doesn't isn't wouldn't shouldn't "
    "mustn't uncomfortable programmed designed trained built instructed off-limits nothing denied declined refused lack unsure unaware uncertain confused unfamiliar dunno idk impossible "
    "ain't shan't couldn't didn't unclear beats pass i'm difficult hard nope nah aren't disallowed rejected contravenes inappropriate doesnt dont stop stops restrict restricts bar bars "
    "obligated falls goes has".split()
)
