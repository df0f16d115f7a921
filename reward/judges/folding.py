"""What a text looks like: every character folded to the ASCII that it imitates, so that a disguised marker is found.

Compatibility characters fold by Unicode's NFKD (UAX #15), look-alikes by a table after Unicode's confusables (UTS #39), and what
cannot be seen folds to nothing. Only for finding things: the judge reads the text itself.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Cyrillic, Greek, small capitals and others that pass for an ASCII letter; brackets, bars and colons that pass for ASCII ones.
_LOOKALIKES = {
    "a": "аɑαᴀ", "b": "ЬʙƄ", "c": "сϲᴄ", "d": "ԁᴅ", "e": "еєҽεᴇ", "f": "ꜰƒϝ", "g": "ɡɢ", "h": "һʜ", "i": "іıιɪɩ", "j": "јᴊ",
    "k": "кκᴋ", "l": "ӏʟ", "m": "мᴍ", "n": "пηɴ", "o": "оοσᴏօ", "p": "рρᴘ", "q": "ԛ", "r": "гʀ", "s": "ѕꜱ", "t": "тτᴛ",
    "u": "υᴜս", "v": "νѵᴠ", "w": "ԝωᴡ", "x": "хχ", "y": "уγʏү", "z": "ᴢ",
    "A": "АΑ", "B": "ВΒ", "C": "СϹ", "D": "Ꭰ", "E": "ЕΕ", "G": "Ԍ", "H": "НΗ", "I": "ІΙӀ", "J": "Ј", "K": "КΚ", "L": "Ꮮ",
    "M": "МΜ", "N": "Ν", "O": "ОΟ", "P": "РΡ", "R": "Ꭱ", "S": "Ѕ", "T": "ТΤ", "U": "Ս", "V": "Ѵ", "W": "Ԝ", "X": "ХΧ", "Y": "ҮΥ",
    "Z": "Ζ",
    "<": "‹〈⟨❮❬˂ᐸ⧼", ">": "›〉⟩❯❭˃ᐳ⧽", "<<": "«≪⟪《⪡", ">>": "»≫⟫》⪢", "|": "ǀ∣│┃❘⏐¦∥‖", ":": "։꞉∶：︰ː˸᠄",
    "[": "【〔⟦❲", "]": "】〕⟧❳", "/": "⁄∕⧸", "#": "＃♯", "_": "▁‗ˍ", "\"": "“”„‟〝〞", "'": "‘’‚‛ʼ", "-": "‐‑‒–—−",
}  # fmt: skip
_ASCII = {char: ascii for ascii, chars in _LOOKALIKES.items() for char in chars}
_UNSEEN = ("Cf", "Cc", "Mn", "Me", "Cs")


def fold(text: str) -> tuple[str, list[int] | None]:
    """The folded text, and for each of its characters the index in `text` that it comes from (None: the same index)."""
    if text.isascii():
        return text, None
    parts, origin = [], []
    for i, char in enumerate(text):
        folded = char if char < "\x80" else _folded(char)
        parts.append(folded)
        origin += [i] * len(folded)
    return "".join(parts), origin


@lru_cache(maxsize=1 << 14)
def _folded(char: str) -> str:
    if char in _ASCII:
        return _ASCII[char]
    category = unicodedata.category(char)
    if category in _UNSEEN:
        return ""
    if category == "Zs":
        return " "
    return "".join(_ASCII.get(c, c) for c in unicodedata.normalize("NFKD", char) if unicodedata.category(c) not in _UNSEEN)
