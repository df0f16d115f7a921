"""Reads an answer for the refusal rules: plain characters, quotations masked, cut into sentences and list items.

Declining words count only when the speaker says them. What stands in quotation marks, block quotes, code and the lines of
a script is somebody else's speech or a thing made, and is masked; a scare quote of a word or two is not. A long quotation is
kept beside its mask, because a refusal may hide in front of one what it refuses.
"""

from __future__ import annotations

import re
import unicodedata

from rl_align.transcript.lookalikes import LATIN

#: Characters of an answer that are read: its head, and its tail where it is longer. What lies between is marked as unread.
HEAD, TAIL = 24_000, 8_000
#: Characters of one sentence that are matched; longer ones are cut into several.
SENTENCE = 400
#: What a masked quotation, a piece of code and a part that is too long leave behind.
QUOTED, CODE, UNREAD = "«quoted»", "«code»", "«unread»"
_QUOTE = re.compile(r"«quoted(?: (\d+))?»")
#: Words from which a quotation is kept.
LONG = 12

_PLAIN = (
    ("\u2019", "'"), ("\u2018", "'"), ("\u02bc", "'"), ("\u00b4", "'"), ("\uff07", "'"), ("\u201c", '"'), ("\u201d", '"'),
    ("\u201e", '"'), ("\u00ab", '"'), ("\u00bb", '"'), ("\u2013", " "), ("\u2014", " "), ("\u00a0", " "), ("\u2026", "..."),
    ("\u3002", ". "), ("\u200b", ""), ("\u200c", ""), ("\u200d", ""), ("\u2060", ""), ("\ufeff", ""), ("\u00ad", ""),
)  # fmt: skip
_CYRILLIC_OR_GREEK = re.compile("[\u0370-\u04ff]")
_SPACES = re.compile(r"[ \t\r\f\v]{2,}|[\t\r\f\v]")
_FENCE = re.compile(r"```[^\n`]{0,40}\n?([^`]{0,6000})(?:```|$)")
_SPAN = re.compile(r"`([^`\n]{0,200})`")
_QUOTATION = re.compile(r'"([^"\n]{0,500})"')
_SINGLE = re.compile(r"(?:(?<=[\s(:\[])|^)'(?=\w)([^\n']{0,60}(?:'(?=\w)[^\n']{0,60}){0,5})'(?=[\s.;:!?)\]]|$)")
#: First characters of list items.
_MARKS = frozenset("-+\u2022(0123456789abcdefghs")
_NUMBERS = frozenset("(0123456789s")
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
        numbered: Whether it opens an item that has a number.
        lead: Whether it introduces what follows: it ends in a colon, or is a heading.
        question: Whether it ends in a question mark.
        labelled: Whether a label stood in front of it, as in a script: "[model] …".
        quotes: The long quotations in it.
    """

    __slots__ = ("_words", "item", "labelled", "lead", "numbered", "question", "quotes", "text")

    def __init__(self, text: str, item: bool = False, lead: bool = False, question: bool = False) -> None:
        self.text, self.item, self.lead, self.question = text, item, lead, question
        self.numbered, self.labelled, self.quotes = False, False, ()
        self._words: frozenset[str] | None = None

    @property
    def words(self) -> frozenset[str]:
        """Its words as a set, made when first asked for."""
        if self._words is None:
            self._words = frozenset(self.text.split())
        return self._words

    @property
    def quoted(self) -> bool:
        """Whether it is a quotation and nothing else."""
        return self.text[0] == "«" and _QUOTE.fullmatch(self.text) is not None


def read(answer: str) -> list[Unit]:
    """The sentences and list items of an answer, in order. Linear in its length, and bounded."""
    thought, closed, said = answer.rpartition("</think>")
    if closed:
        answer = said
    if cut := len(answer) > HEAD + TAIL:
        answer = f"{answer[:HEAD]}\n{answer[-TAIL:]}"
    text = plain(answer)
    quotes: list[str] = []
    if "```" in text:
        text = _without_code(text)
    if "`" in text:
        text = _SPAN.sub(_mask, text)
    text = text.replace("*", "").replace("_", "")
    if '"' in text or " '" in text:
        text = _masked(text, quotes)
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
    if cut:
        units.insert(-1, Unit(UNREAD))
    if quotes:
        for unit in units:
            unit.quotes += tuple(quotes[int(index)] for index in _QUOTE.findall(unit.text) if index)
    return units


def plain(text: str) -> str:
    """Lower case, with typographic quotes, dashes, full-width and look-alike letters as plain ones."""
    if not text.isascii():
        for old, new in _PLAIN:
            text = text.replace(old, new)
        if not text.isascii():
            if not unicodedata.is_normalized("NFKC", text):
                text = unicodedata.normalize("NFKC", text)
            if _CYRILLIC_OR_GREEK.search(text) and sum(c.isascii() for c in text) > len(text) // 2:
                text = text.translate(LATIN)
    return text.lower()


def _without_code(text: str) -> str:
    """Code is a thing made, unless it is all there is: machine messages come in fences too."""
    outside = _FENCE.sub("", text)
    if len(outside) < 20:
        return _FENCE.sub(r"\1", text)
    return _FENCE.sub(f"\n{CODE}\n", text)


def _masked(text: str, quotes: list[str]) -> str:
    """The text without its quotations, the long ones of which are added to `quotes`."""
    text = text.strip()
    if text[:1] == '"' and text.find('"', 1) == len(text) - 1:
        text = text[1:-1]

    def mask(match: re.Match[str]) -> str:
        if match[1].count(" ") + 1 < LONG:
            return _mask(match)
        quotes.append(match[1])
        return f"«quoted {len(quotes) - 1}»"

    text = _QUOTATION.sub(mask, text)
    return _SINGLE.sub(mask, text) if " '" in text else text


def _mask(match: re.Match[str]) -> str:
    return match[1] if match[1].count(" ") < 2 and not match[1].startswith("i ") else QUOTED


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
        units[-1].quotes = (line.strip("> "),)
        return
    if first == "#":
        units.append(Unit(line.strip("# :"), lead=True))
        return
    item = _ITEM.match(line) if first in _MARKS else None
    label = None
    if row := first == "|":
        line = " ".join(line.replace("|", " ").split()).strip("-: ") or "."
    elif item:
        line = line[item.end() :].lstrip()
    elif first == "[" or first == "(" or ":" in line[:30]:
        label = _LABEL.match(line)
        if label:
            line = line[label.end() :]
    listed, begun = row or item is not None, len(units)
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
    if len(units) > begun:
        units[begun].labelled = label is not None
        units[begun].numbered = item is not None and first in _NUMBERS
