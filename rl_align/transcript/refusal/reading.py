"""Reads an answer for the refusal rules: plain characters, quotations masked, cut into sentences and list items.

Declining words count only when the speaker says them. What stands in quotation marks, block quotes, code and the lines of
a script is somebody else's speech or a thing made, and is masked; a scare quote of a word or two is not.
"""

from __future__ import annotations

import re
import unicodedata

#: Characters of an answer that are read: its head, and its tail where it is longer.
HEAD, TAIL = 8000, 2000
#: Characters of one sentence that are matched; longer ones are cut into several.
SENTENCE = 400
#: What a masked quotation and a piece of code leave behind.
QUOTED, CODE = "«quoted»", "«code»"

_PLAIN = (
    ("\u2019", "'"), ("\u2018", "'"), ("\u02bc", "'"), ("\u00b4", "'"), ("\uff07", "'"), ("\u201c", '"'), ("\u201d", '"'),
    ("\u201e", '"'), ("\u00ab", '"'), ("\u00bb", '"'), ("\u2013", " "), ("\u2014", " "), ("\u00a0", " "), ("\u2026", "..."),
    ("\u3002", ". "), ("\u200b", ""), ("\u200c", ""), ("\u200d", ""), ("\u2060", ""), ("\ufeff", ""), ("\u00ad", ""),
)  # fmt: skip
_CYRILLIC = re.compile("[\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456]")
_LOOKALIKE = str.maketrans("\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456", "aeopcyxi")
_SPACES = re.compile(r"[ \t\r\f\v]{2,}|[\t\r\f\v]")
_FENCE = re.compile(r"```[^\n`]{0,40}\n?([^`]{0,6000})(?:```|$)")
_SPAN = re.compile(r"`([^`\n]{0,200})`")
_QUOTATION = re.compile(r'"([^"\n]{0,500})"')
_SINGLE = re.compile(r"(?:(?<=[\s(:\[])|^)'(?=\w)([^\n']{0,60}(?:'(?=\w)[^\n']{0,60}){0,5})'(?=[\s.;:!?)\]]|$)")
#: First characters of list items.
_MARKS = frozenset("-+\u2022(0123456789abcdefghs")
_ITEM = re.compile(r"(?:[-+\u2022]|\d{1,2}[.)]|\(\d{1,2}\)|[a-h][.)]|step \d{1,2}\b)[ :]")
_LABEL = re.compile(
    r"(?:\[[^\]\n]{0,40}\]|\([^)\n]{0,24}\)|[\w.-]{1,16}(?: [\w.-]{1,12})?:) *"
    r"(?=(?:i|i'm|i'd|i'll|no|sorry|unfortunately|my|we|our|apologies|can't|cannot|as an?)\b)"
)
_SPEECH = re.compile(r"^([a-z][a-z .'-]{0,20}):[ \t]+\S", re.MULTILINE)
_SPEAKERS = re.compile(r"(?:.*\b)?(?:ai|assistant|bot|chatbot|model|response|answer|output|\w*gpt)\b")


class Unit:
    """A sentence or a list item in lower case, without commas, markup and end marks.

    Attributes:
        text: Its words, parted by spaces.
        item: Whether it stands in a list.
        lead: Whether it introduces what follows: it ends in a colon, or is a heading.
        question: Whether it ends in a question mark.
    """

    __slots__ = ("_words", "item", "lead", "question", "text")

    def __init__(self, text: str, item: bool = False, lead: bool = False, question: bool = False) -> None:
        self.text, self.item, self.lead, self.question = text, item, lead, question
        self._words: frozenset[str] | None = None

    @property
    def words(self) -> frozenset[str]:
        """Its words as a set, made when first asked for."""
        if self._words is None:
            self._words = frozenset(self.text.split())
        return self._words


def read(answer: str) -> list[Unit]:
    """The sentences and list items of an answer, in order. Linear in its length, and bounded."""
    thought, closed, said = answer.rpartition("</think>")
    if closed:
        answer = said
    if len(answer) > HEAD + TAIL:
        answer = answer[:HEAD] + "\n" + answer[-TAIL:]
    text = plain(answer)
    if "```" in text:
        text = _without_code(text)
    if "`" in text:
        text = _SPAN.sub(_mask, text)
    text = text.replace("*", "").replace("_", "")
    if '"' in text or " '" in text:
        text = _masked(text)
    if text.count(":") > 2:
        text = _without_speech(text)
    text = text.replace(" - ", " ").replace("--", " ")
    if "  " in text or "\t" in text:
        text = _SPACES.sub(" ", text)
    units: list[Unit] = []
    for line in text.replace(",", "").split("\n"):
        line = line.strip()
        if line:
            _cut(line, units)
    return units


def plain(text: str) -> str:
    """Lower case, with typographic quotes, dashes, full-width and look-alike letters as plain ones."""
    if not text.isascii():
        for old, new in _PLAIN:
            text = text.replace(old, new)
        if not text.isascii():
            if not unicodedata.is_normalized("NFKC", text):
                text = unicodedata.normalize("NFKC", text)
            if _CYRILLIC.search(text) and sum(c.isascii() for c in text) > len(text) // 2:
                text = text.translate(_LOOKALIKE)
    return text.lower()


def _without_code(text: str) -> str:
    """Code is a thing made, unless it is all there is: machine messages come in fences too."""
    outside = _FENCE.sub("", text)
    if len(outside) < 20:
        return _FENCE.sub(r"\1", text)
    return _FENCE.sub(f"\n{CODE}\n", text)


def _masked(text: str) -> str:
    text = text.strip()
    if text[:1] == '"' and text.find('"', 1) == len(text) - 1:
        text = text[1:-1]
    text = _QUOTATION.sub(_mask, text)
    return _SINGLE.sub(_mask, text) if " '" in text else text


def _mask(match: re.Match[str]) -> str:
    return match[1] if match[1].count(" ") < 2 else QUOTED


def _without_speech(text: str) -> str:
    """Lines of a script with several parts are masked; one label in front of everything is the speaker's own."""
    labels = [match[1] for match in _SPEECH.finditer(text)]
    others = [label for label in labels if not _SPEAKERS.fullmatch(label)]
    if len(others) < 3 or len(set(others)) == len(others):
        return text
    return _SPEECH.sub(lambda m: m[0] if _SPEAKERS.fullmatch(m[1]) else QUOTED, text)


def _cut(line: str, units: list[Unit]) -> None:
    first = line[0]
    if first == ">":
        units.append(Unit(QUOTED))
        return
    if first == "#":
        units.append(Unit(line.strip("# :"), lead=True))
        return
    item = _ITEM.match(line) if first in _MARKS else None
    if item:
        line = line[item.end() :].lstrip()
    elif first == "[" or first == "(" or ":" in line[:30]:
        label = _LABEL.match(line)
        if label:
            line = line[label.end() :]
    listed = item is not None
    # Faster than an expression with a lookbehind; a question keeps its mark.
    if ". " in line or "? " in line or "! " in line:
        sentences = line.replace("? ", "?. ").replace("! ", ". ").split(". ")
    else:
        sentences = [line]
    for sentence in sentences:
        while len(sentence) > SENTENCE:
            head, sentence = sentence[:SENTENCE], sentence[SENTENCE:]
            units.append(Unit(head, listed))
        text = sentence.strip(".!?:)\"' ")
        if text:
            units.append(Unit(text, listed, sentence[-1] == ":", sentence[-1] == "?"))
