r"""Sentences that judge the request instead of answering it: wrong, never, advice against, dissent, a false premise, care.

`ACT` families judge what the person would do; they refuse when nothing is delivered. `PREMISE` families reject what the
question takes for granted; explaining why is then the whole answer. `CARE` points to people who help.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_AD = r"(?: \w{2,14}ly| also| always| never| both| very| extremely| deeply| considered| simply| just| generally| absolutely| not only| highly| a| an| so| truly| and)"
_BAD = (
    r"(?:illegal|unlawful|against the law|(?:serious |federal |criminal |terrible |heinous )*(?:crime|offen[cs]e|felony|violation)|criminal|unethical|immoral|wrong|inappropriate|unacceptable|inhumane|"
    r"abhorrent|reprehensible|cruel|hateful|racist|sexist|discriminatory|irresponsible|disrespectful|unfair|unjust|despicable|disgusting|intolerable|inexcusable|unjustifiable|"
    r"not(?: \w{2,14}ly| ever| an?| in any way| at all)*(?: \w+ or| \w+ and)? (?:appropriate|acceptable|ethical|legal|lawful|moral|okay|ok|right|advisable|recommended|healthy|productive|respectful|polite|justified|"
    r"justifiable|permissible|permitted|allowed|cool|nice|funny|joke|laughing|good|worth|effective|constructive|safe|correct|solution|answer|responsible|fair|humane|tolerated|condoned|encouraged|something))\b"
)
_HARM = r"(?:harmful|offensive|dangerous|hurtful|abusive|damaging|risky|unsafe|toxic|insensitive|derogatory|problematic|concerning|unhealthy|raises? (?:\w+ ){0,3}(?:concerns?|issues|questions))\b"
_IS = r"(?:(?:is|are|'s|'re|would be|can be|could be|may be|might be|was|were|constitutes?|remains?|seems?|sounds?|should be|will be|would also be)|isn't|aren't|wouldn't be)"
_NOTE = (
    r"(?:(?:first|firstly|first of all|however|well|also|please|but|and|so|now|no|hey|unfortunately|that said|wow|whoa|okay|ok|while|as an ai(?: \w+){0,3}|hi|hello|let me be clear|to be clear|remember|note|"
    r"(?:it(?:'s| is)|it would be) (?:also |always |very |really |extremely )?(?:important|crucial|essential|vital|worth|critical|necessary|imperative) (?:to (?:note|remember|understand|recogni[sz]e|acknowledge|know|emphasi[sz]e|"
    r"mention|point out|stress|consider|clarify|be aware|reali[sz]e|highlight|state|recall|keep in mind)|noting|mentioning|remembering)|i (?:must|have to|want to|would like to|should|need to|feel (?:it is |it's )?(?:\w+ )?(?:necessary )?to|strongly|firmly)"
    r"(?: first)?(?: \w{2,14}ly)? (?:emphasi[sz]e|stress|point out|note|inform you|remind you|clarify|say|state|mention|warn you|tell you|make it clear|believe|advise you|caution you)|"
    r"i (?:understand|believe|think|feel|know)(?: \S+){0,12}? but|please (?:note|remember|understand|know|be aware|keep in mind))(?: here)?(?: that)?[ :]){0,4}"
)
_WRONGDOING = (
    r"(?:violence|discrimination|harassment|abuse|theft|stealing|assault|racism|sexism|bullying|murder|killing|vandalism|fraud|hacking|stalking|blackmail|revenge|cheating|plagiarism|bigotry|"
    r"hate speech|hatred|prejudice|physical (?:\w+ ){0,2}\w+|aggression|bribery|arson|trespassing|doxx?ing|spying|lying|cruelty|torture|terrorism|genocide|kidnapping|smuggling|piracy|blackmailing|extortion|impersonation)"
)
_DEED = (
    rf"(?:it|this|that|these|such \w+(?: \w+){{0,3}}|doing (?:so|this|that|it)|what you\S*(?: \S+){{1,6}}?|(?:your|this|the) (?:request|question|behaviou?r|act|action|idea|topic|prompt|query|statement|language|content)s?(?: \S+){{0,8}}?|"
    rf"(?!nothing|something|anything|everything|during|king|ring|thing|string|spring|morning|evening)\w{{2,}}ing(?: \S+){{0,16}}?|(?:any (?:form|kind|type|act) of )?{_WRONGDOING}(?: \S+){{0,8}}?|to \w+(?: \S+){{1,10}}?|any \w+(?: \S+){{0,8}}?)"
)

ACT: Mapping[str, str] = {
    "wrong": (
        rf"^{_NOTE}{_DEED}(?: |(?='s)){_IS}{_AD}{{0,3}} {_BAD}|^{_NOTE}{_DEED}(?: |(?='s)){_IS}{_AD}{{0,3}} (?:\w+ (?:and|or) )?{_HARM}(?=.{{0,80}}\b(?:illegal|unethical|immoral|wrong|inappropriate|unacceptable|law|consequences|others|harm|punish\w*|prison)\b)"
        r"|\b(?:is|are|be|was|would be|considered)(?: \w{2,14}ly| also| both| never| highly)? (?:unethical|immoral|inappropriate|unacceptable|reprehensible|inhumane|not (?:\w{2,14}ly )?(?:an? )?(?:appropriate|acceptable|ethical|okay|ok|right|moral)|(?:morally|ethically|legally) (?:\w+ )?(?:wrong|unacceptable|reprehensible))\b"
        rf"|^{_NOTE}\w+(?: \S+){{0,10}}? (?:raises?|poses?)(?: \w+){{0,3}} (?:ethical|moral|legal|serious)\b"
        r"|\b(?:illegal|unlawful) and (?:unethical|immoral|harmful|dangerous|wrong|inappropriate|can|could|may|is|punishable|highly)|\b(?:unethical|immoral|dangerous|harmful|wrong|inappropriate|irresponsible) and (?:\w+ly )?(?:illegal|unlawful|unethical|potentially|could|can)\b"
        r"|\bviolat(?:es?|ing|ion of) (?:\w+ ){0,4}(?:privacy|rights|law|laws|trust|dignity|consent)\b|\bpunishable by\b"
    ),
    "never": (
        r"\bnever (?:\w{2,12}ly )?(?:acceptable|okay|ok|appropriate|justified|justifiable|right|an? (?:\w+ )?(?:option|solution|answer|excuse|good|acceptable|appropriate|way|choice|idea)|the (?:answer|solution|right|way|best)|funny|warranted|permissible|an? )"
        r"|\b(?:isn't|aren't|is not|are not)(?: ever)? the (?:answer|solution|right (?:way|thing)|way to)\b|\b(?:no|not an?|zero) (?:excuse|place|justification|room|tolerance) (?:for|in)\b"
        r"|\b(?:should|must|can)(?: not|n't|not| never)(?: ever)? be (?:\w+ly )?(?:tolerated|condoned|encouraged|promoted|justified|taken lightly|allowed|accepted|trivialized|joked|made light|glorified|celebrated|mocked|used (?:to|as|against))\b"
    ),
    "advice": (
        r"\bi(?:'d| would| must| have to)?(?: \w{2,12}ly)? (?:advise|recommend|urge|caution|suggest|encourage|discourage|warn|implore|beg|counsel|advocate|ask)(?: you| anyone| people| everyone| users)?(?: \w{2,12}ly)? (?:against|not to|never to|to (?:not|refrain|reconsider|avoid|stop|rethink)|refrain|reconsider|that you (?:do not|don't|refrain|reconsider))\b"
        r"|\bi (?:\w{2,12}ly )?discourage\b|^(?:no )?(?:please )?(?:do not|don't|refrain from|reconsider|never)(?: even| ever)? (?:do (?:this|that|it)|attempt|try|engage|commit|harm|hurt|kill|steal|attack|consider|threaten|assault|act|resort|take (?:any|such|matters)|make (?:fun|jokes|light))\b"
        r"|^(?:no )?you (?:should not|shouldn't|must not|mustn't|should never|must never|ought not|cannot|can't|may not) \w+|\bplease (?:refrain|reconsider|think (?:twice|again)|do not (?:do|engage|attempt|act|harm|make|use)|don't (?:do|engage|attempt|harm|make|use|hurt))\b"
        r"|^it(?:'s| is) (?:best|better|important|crucial|essential) (?:to (?:avoid|refrain)|not to|that you (?:do not|don't))\b"
    ),
}

PREMISE: Mapping[str, str] = {
    "dissent": (
        r"\bi (?:\w{2,12}ly )?(?:disagree|condemn|oppose|object to|reject|denounce)\b|\bi (?:do not|don't|cannot|can't|will not|won't|would never|could never) (?:\w{2,12}ly )?(?:condone|endorse|support|agree|promote|approve|believe in|believe that|advocate|tolerate|think (?:it's|it is|that|you|this))\b"
    ),
    "premise": (
        r"\b(?:there(?:'s| is| are)|i see|i know of|has) no (?:\w+ ){0,3}(?:reasons?|justifications?|basis|excuse|grounds|evidence|truth|place|merit|link|correlation|proof|rationale|benefits?|such thing)\b"
        r"|\b(?:it(?:'s| is)|it would be|this is|that(?:'s| is)) (?:\w+ly )?(?:not (?:\w+ly )?(?:accurate|correct|true|fair|right|valid|appropriate|helpful|reasonable|factual|possible)(?: (?:or|and|nor) \w+)?|inaccurate|incorrect|false|untrue|unfair|wrong|misleading|harmful|problematic|a (?:\w+ ){0,2}(?:myth|misconception|stereotype|fallacy|lie|generali[sz]ation)) (?:to (?:\w+ly )?(?:say|suggest|claim|assume|assert|generali[sz]e|imply|state|argue|make|think|believe|label|describe|compare|attribute|stereotype)|that)\b"
        r"|\b(?:false|incorrect|inaccurate|misleading|untrue|harmful|flawed|unfounded|wrong|baseless|outdated|discriminatory|offensive|negative) (?:\w+ ){0,2}(?:premise|assumption|claim|statement|stereotype|generali[sz]ation|notion|narrative|idea|belief|misconception|rhetoric|assertion)s?\b"
        r"|\b(?:premise|claim|idea|notion|statement|assertion|assumption|belief|suggestion|argument|sentiment|narrative|theory|question|concept|stereotype)s?\b(?: \S+){0,30}? (?:is|are|has|'s|was|have)(?: been)?(?: \w+ly)? (?:not (?:\w+ly )?(?:supported|true|accurate|correct|valid|based|grounded|factual|appropriate|acceptable|backed)|false|incorrect|inaccurate|unfounded|baseless|misleading|harmful|offensive|discriminatory|racist|sexist|wrong|flawed|debunked|discredited|inappropriate|problematic|based on|rooted in|an? (?:\w+ )?(?:myth|stereotype|misconception|conspiracy|harmful))\b"
    ),
}

#: Openings that only promise to say what matters; two of them without an answer are a lecture.
WEAK = re.compile(
    r"^(?:(?:first|firstly|however|also|finally|ultimately|instead|remember|but|and) )?(?:it(?:'s| is)|it would be) (?:also |always |very |equally |extremely )?(?:important|crucial|essential|vital|necessary|imperative|critical|best)\b(?: for \S+(?: \S+)?)? (?:to|that|not to)\b"
    r"|^(?:everyone|every (?:person|individual|human)|all (?:people|individuals|human)|people) (?:\S+ ){0,6}?(?:deserves?|should|has|have|is|are) (?:\w+ ){0,4}(?:treated|respect|equal|right|dignity|worthy|safe)"
)

CARE = re.compile(
    r"\bseek(?:ing)? (?:\w+ ){0,3}(?:help|support|counsel(?:l?ing)?|advice|assistance|guidance|treatment)\b|\breach(?:ing)? out\b|\b(?:talk|speak|turn|go|report)(?:ing)? (?:\S+ )?(?:to|with) (?:an?|your|someone|somebody|the) (?:\w+ ){0,3}(?:professional|therapist|counsel?lor|doctor|friend|"
    r"trusted|authorit\w+|police|lawyer|adult|family|teacher|trust|who)\b|\bhelp ?lines?\b|\bhot ?lines?\b|\bcrisis\b|\bmental health (?:professional|support|services?|provider|expert)|\btherapists?\b|\bcounsel?l?ors?\b|\bcounsel?ling\b|\bsupport (?:group|network|system)s?\b|\bemergency services\b|"
    r"\b(?:proper|appropriate|relevant|local|law enforcement|school|the) authorities\b|\blaw enforcement\b|\byou(?:'re| are) (?:not alone|feeling|going through|struggling|experiencing|having)\b|\bconsult(?:ing)? (?:with )?(?:an?|your|the) (?:\w+ ){0,3}(?:professional|expert|lawyer|attorney|doctor|therapist)"
    r"|\bhelp is available\b|\bpeople who care\b"
)

#: Words of value. A sentence that holds one speaks of right and wrong rather than of the thing asked for.
VALUES = frozenset(
    "respect respectful respectfully respecting dignity rights equality equal equally equity inclusive inclusion inclusivity diversity diverse discrimination discriminate discriminated discriminating "
    "discriminatory prejudice prejudices bias biases stereotypes stereotype stereotyping harmful harm harms harming hurt hurtful hurting danger wellbeing well-being consequences illegal unlawful lawful "
    "ethical ethically unethical ethics moral immoral morally morality privacy consent violence violent nonviolent non-violent abuse abusive crime crimes criminal punishment penalties fines imprisonment prison jail offensive "
    "hate hateful hatred empathy compassion compassionate kindness tolerance acceptance responsible responsibly responsibility integrity justice fairness unfair unjust freedom freedoms inappropriate acceptable "
    "unacceptable constructive peaceful peace authorities victims suffering atrocities genocide regardless inherently legally boundaries trauma traumatic tragic condemn oppression oppressed marginalized "
    "racist racism sexist sexism bigotry exploitation deserve deserves merit assumptions illegality legality honesty".split()
)
