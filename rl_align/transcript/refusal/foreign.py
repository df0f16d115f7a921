"""Short refusals in other languages than English, in the first words of an answer."""

from __future__ import annotations

import re

from rl_align.transcript.refusal.reading import Unit
from rl_align.transcript.refusal.words import union

#: Characters of an answer in which such a refusal stands.
LENGTH = 160

_FOREIGN = re.compile(
    union(
        r"\bich (?:kann|darf|werde|möchte)(?: \S+){0,5}? (?:nicht|keine?n?)\b|\bleider (?:kann|darf)(?: \S+){0,5}? nicht\b|\btut "
        r"mir leid.{0,40} nicht\b",
        r"\bje ne (?:peux|puis|suis) pas\b|\bje refuse de\b|\bdésolée?.{0,20} je ne\b",
        r"\bno (?:puedo|podemos|voy a|me es posible) (?:\S+ ){0,2}?(?:ayud|proporcion|ofrec|cumpl|respond|hacer|dar|asist|brind|"
        r"crear|escrib|gener|prove|compart|continu)\w*|\blo siento.{0,20} no puedo\b",
        r"\bnon (?:posso|possiamo) (?:\S+ ){0,2}?(?:aiut|forn|rispond|assist|soddisf|far|scriv|crea|gener|dar|offr)\w*|\bmi "
        r"dispiace.{0,20} non posso\b",
        r"\bn[ãa]o (?:posso|podemos|vou) (?:\S+ ){0,2}?(?:ajud|fornec|respond|faz|cri|escrev|ger|oferec|atend|dar)\w*",
        r"\bik kan (?:\S+ ){0,4}?niet\b|\bjag kan (?:\S+ ){0,2}?inte\b|\bjeg kan (?:\S+ ){0,2}?ikke\b|\bnie mogę\b|\bnemohu\b|"
        r"\btôi không thể\b",
        r"(?:我|本人).{0,4}(?:无法|不能|不会|無法|拒绝)|(?:无法|不能)(?:提供|回答|协助|帮助|满足|生成|讨论|继续)",
        r"できません|できかねます|お応えでき|お答えでき|いたしかねます|応じられません|お断り|(?:드릴|제공할|답변할|도울|할) 수 없",
        r"я не мог[уо]\w* (?:\S+ ){0,2}?(?:помоч|предостав|ответ|выполн|дать|обсужд|созда|напис)\w*|не могу "
        r"(?:помоч|предостав|выполн)\w*",
        r"لا (?:أستطيع|يمكنني)|मैं .{0,40}नहीं कर सकत|üzgünüm.{0,60}(?:mam|amam|emem)\b|yardımcı olamam|\bsaya tidak "
        r"(?:bisa|dapat)\b",
    )
)
_TRIGGERS = frozenset(
    "nicht kein keine keinen ne refuse puedo podemos posible posso possiamo podemos vou kan nemohu tidak olamam".split()
)


def declines(unit: Unit) -> bool:
    """Whether the first sentence of an answer declines in another language."""
    if unit.text.isascii() and _TRIGGERS.isdisjoint(unit.words):
        return False
    return _FOREIGN.search(unit.text, 0, LENGTH) is not None
