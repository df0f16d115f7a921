"""Text in pictures. RapidOCR (extra `ocr`) brings its models in its wheel, so nothing is downloaded at run time."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from rl_align.errors import UserError
from rl_align.eval.defences.partners import PartnerFailed
from rl_align.guard.errors import GuardError
from rl_align.guard.pictures import Pictures

#: From a decoded RGB picture (PIL) to its lines of text. It is called from threads.
Ocr = Callable[[Any], list[str]]

ROLE = "ocr"
_MOST_ASPECT = 8
_MODELS = {"Det.model_path": "PP-OCRv6_det_small.onnx", "Rec.model_path": "PP-OCRv6_rec_small.onnx"}


def rapidocr(min_score: float = 0.5, threads: int = 1) -> Ocr:
    """RapidOCR's small models: Latin and Chinese script in lines; what is turned, curved or very large is often missed.

    Args:
        min_score: Lines that are read with less confidence are left out.
        threads: Cores for one picture.

    Raises:
        UserError: The package is not installed, or its wheel does not hold these models.
    """
    try:
        import rapidocr as package
    except ImportError:
        raise UserError("RapidOCR is not installed", where="ocr_guard", fix="pip install 'rl_align[ocr]'") from None
    folder = Path(package.__file__).with_name("models")
    for name in _MODELS.values():
        # Found here, since RapidOCR would try to download what it misses.
        if not (folder / name).is_file():
            what = f"this RapidOCR does not hold {name}"
            raise UserError(what, where=str(folder), fix="install the version that launch/requirements pins")
    return _Rapid(folder, min_score, threads)


class _Rapid:
    """Loads its models with the first picture: they take two seconds, and a process that reads none needs none."""

    def __init__(self, folder: Path, min_score: float, threads: int):
        self._settings = (folder, min_score, threads)

    def __call__(self, picture: Any) -> list[str]:
        import numpy as np
        from rapidocr.utils.output import RapidOCROutput

        found = _engine(*self._settings)(np.asarray(_wide_enough(picture))[:, :, ::-1].copy())
        # It logs some of its failures and returns half a result, which must not pass for a picture without text.
        if not isinstance(found, RapidOCROutput):
            raise PartnerFailed(ROLE, "half_read", f"text was found and not read ({type(found).__name__})")
        return [] if found.txts is None else _lines(found.boxes, found.txts)


def _lines(boxes: Any, words: Sequence[str]) -> list[str]:
    """Words in reading order, those side by side joined: RapidOCR gives a box to each of them where they stand apart."""
    lines: list[str] = []
    low, high = 0.0, 0.0
    for box, word in zip(boxes, words, strict=True):
        top, bottom = float(box[:, 1].min()), float(box[:, 1].max())
        if lines and low <= (top + bottom) / 2 <= high:
            lines[-1] += f" {word}"
            continue
        lines.append(word)
        low, high = top, bottom
    return lines


def _wide_enough(picture: Any) -> Any:
    """The picture on a white ground, if it is a strip: RapidOCR enlarges by the short side, a tall strip to gigabytes."""
    from PIL import Image

    width, height = picture.size
    shape = max(width, height // _MOST_ASPECT), max(height, width // _MOST_ASPECT)
    if shape == picture.size:
        return picture
    ground = Image.new("RGB", shape, "white")
    ground.paste(picture)
    return ground


@lru_cache(maxsize=2)
def _engine(folder: Path, min_score: float, threads: int) -> Any:
    from rapidocr import RapidOCR

    models = {key: str(folder / name) for key, name in _MODELS.items()}
    # The classifier of upside-down lines gains next to nothing and costs a model.
    settings = {"Global.log_level": "error", "Global.text_score": min_score, "Global.use_cls": False}
    return RapidOCR(params={**models, **settings, "EngineConfig.onnxruntime.intra_op_num_threads": threads})


async def decoded(url: str, pictures: Pictures) -> Any:
    """The picture of a `data:` URL in RGB, as vision models take it: transparency is dropped, so nothing hides in it.

    Raises:
        PartnerFailed: It is no such URL, or no picture that may be decoded (`rl_align/guard/pictures.py`).
    """
    from PIL import Image

    head, comma, body = url.partition(",")
    if not comma or not head.lower().startswith("data:image/") or not head.lower().endswith(";base64"):
        raise PartnerFailed(ROLE, "no_data_url", f"an image is given as {url[:60]!r}")
    try:
        data = base64.b64decode(body, validate=True)
        await pictures.check(data)
        return Image.open(io.BytesIO(data)).convert("RGB")
    except (binascii.Error, ValueError, OSError, GuardError) as error:
        raise PartnerFailed(ROLE, "unreadable_image", str(error)) from error
