"""A workbook of one sheet with nothing but texts and whole numbers, which the standard library can write.

Cells hold inline strings: what a model wrote is never a formula, whatever it begins with. An empty text is an empty cell. A
character that XML cannot hold is replaced, and counted.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from rl_align.runfiles.atomic import replacing

#: Stands where a character cannot.
REPLACED = "\ufffd"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_FORMAT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_FORMAT}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_FORMAT}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
    '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def write_xlsx(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> int:
    """Writes a table in the place of `path`.

    Args:
        path: The file.
        columns: Names, the first row.
        rows: Values in the columns' order.

    Returns:
        Cells in which characters were replaced.

    Raises:
        UserError: The file cannot be written.
    """
    table = [list(columns), *rows]
    replaced = sum(isinstance(value, str) and bool(_FORBIDDEN.search(value)) for row in table for value in row)
    lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in table)
    sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>'
    with replacing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in {**_PARTS, "xl/worksheets/sheet1.xml": sheet}.items():
            archive.writestr(name, (_HEAD + part).encode())
    return replaced


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    if not value:
        return "<c/>"
    text = _FORBIDDEN.sub(REPLACED, value).translate(_ESCAPES)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
