"""Sentences that say of this very thing that others are to be asked: it is best left to professionals; see a lawyer about it."""

from __future__ import annotations

from rl_align.transcript.refusal.words import cue

_EXPERT = (
    r"(?:(?:an?|the|your|our|any|some|other) )?(?:(?:trained|licensed|licenced|qualified|certified|medical|legal|mental|"
    r"health|local|proper|relevant|competent|good|real) ){0,3}(?:professionals?|experts?|specialists?|doctors?|physicians?|"
    r"pharmacists?|nurses?|lawyers?|attorneys?|solicitors?|police|authorit(?:y|ies)|therapists?|psychologists?|psychiatrists?|"
    r"counsel?lors?|mediators?|advisers?|advisors?|clinic|vets?|veterinarians?|social workers?|law enforcement)\b"
)
#: A pointer that says of this very thing that others are to be asked.
POINTER = cue(
    "professional professionals expert experts specialist specialists doctor doctors physician physicians pharmacist "
    "pharmacists nurse nurses lawyer lawyers attorney attorneys solicitor police authority authorities therapist therapists "
    "psychologist psychologists psychiatrist counselor counsellor counselors counsellors mediator mediators adviser advisor "
    "clinic vet veterinarian worker workers enforcement",
    rf"\b(?:best|better) (?:left|handled|answered|discussed|dealt with|settled|taken up)(?: \w+)? (?:to|by|with|for) {_EXPERT}",
    rf"\b(?:matters?|questions?|topics?|jobs?|issues?|cases?|things?|something|one|sort|kind|it|this|that)(?: \w+)? (?:for|"
    rf"belongs? (?:to|with|in the hands of)|(?:is|are) up to) {_EXPERT}",
    rf"^(?:please |you (?:should|must|need to|had better|ought to) |i (?:suggest|recommend|advise|urge) (?:that )?you (?:to "
    rf")?){{0,3}}(?:contact|consult|speak (?:to|with)|talk (?:to|with)|ask|see|call|turn to|go to|reach out to|take (?:this|"
    rf"that|it) (?:up )?(?:to|with)) {_EXPERT}"
    r"(?: (?:about|for|with|on|regarding) (?:this|that|it|these|such)(?: \w+){0,2})?$",
    rf"{_EXPERT} (?:is|are|would be) (?:the )?(?:right|best|better|proper|only)(?: \w+)? (?:for|to (?:ask|answer|handle|judge|"
    rf"discuss|see|consult|talk to))\b",
)
