"""Letters that pass for Latin ones, after Unicode's confusables (UTS #39), and characters that nobody sees."""

from __future__ import annotations

import unicodedata

_PASS_FOR = {
    "a": "аɑαᴀ", "b": "Ьƅʙ", "c": "сϲᴄ", "d": "ԁᴅ", "e": "еҽεᴇ", "f": "ꜰƒ", "g": "ɡɢ", "h": "һʜ", "i": "іıɩɪι", "j": "јᴊ",
    "k": "кκᴋ", "l": "ӏʟ", "m": "мᴍ", "n": "ոɴη", "o": "оοօσᴏ", "p": "рρᴘ", "q": "ԛ", "r": "гʀ", "s": "ѕꜱ", "t": "тτᴛ",
    "u": "υսᴜ", "v": "νѵᴠ", "w": "ԝωᴡ", "x": "хχ", "y": "уγʏ", "z": "ᴢ",
    "A": "АΑ", "B": "ВΒ", "C": "СϹ", "D": "Ꭰ", "E": "ЕΕ", "F": "Ϝ", "G": "Ԍ", "H": "НΗ", "I": "ІΙӀ", "J": "Ј", "K": "КΚ",
    "L": "Ꮮ", "M": "МΜ", "N": "Ν", "O": "ОΟՕ", "P": "РΡ", "R": "Ꭱ", "S": "Ѕ", "T": "ТΤ", "U": "Ս", "V": "Ѵ", "W": "Ԝ",
    "X": "ХΧ", "Y": "ҮΥ", "Z": "Ζ",
}  # fmt: skip
#: For `str.translate`: one letter for one letter.
LATIN = {ord(char): letter for letter, chars in _PASS_FOR.items() for char in chars}


def unmasked(text: str) -> str:
    """The ASCII that a short text shows: look-alikes as the letters they pass for, everything else that is not ASCII gone."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKD", text).translate(LATIN).encode("ascii", "ignore").decode("ascii")
