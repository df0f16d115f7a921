"""Any picture → a small RGB PNG that the model's processor takes as it is, or a named reason why not."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rl_align.data.quarantine import DataError
from rl_align.errors import UserError
from rl_align.schema import ImageRef

if TYPE_CHECKING:
    from PIL.Image import Image

#: Formats that are decoded. Others (PostScript, PDF, fonts of decoders) would widen what untrusted bytes can reach.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
#: A picture with more pixels is refused before it is decoded: 50 M pixels take some 500 MB on the way.
MAX_SOURCE_PIXELS = 50_000_000
MAX_SOURCE_BYTES = 64 * 2**20
#: Qwen-VL's image processor raises above this ratio of the sides.
MAX_ASPECT_RATIO = 200

MISSING, EMPTY, TOO_LARGE = "image_missing", "image_empty", "image_too_large"
UNKNOWN_FORMAT, BROKEN, UNKNOWN_MODE = "image_unknown_format", "image_broken", "image_unknown_mode"

_GREY_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_ALPHA = ("LA", "PA", "RGBA", "La", "RGBa")
#: Bit depth 8, colour type RGB, in the header.
_PLAIN_PNG = b"\x08\x02"


@dataclass
class ImageConfig:
    """The size of the pictures handed to the model.

    Attributes:
        max_pixels: Most pixels of a picture.
        min_pixels: Fewest pixels; a smaller picture is enlarged.
        multiple_of: Both sides are multiples of it: patch size × spatial merge (28 for Qwen2.5-VL, 32 for Qwen3-VL).
    """

    max_pixels: int = 1_003_520
    min_pixels: int = 3_136
    multiple_of: int = 28


def target_size(width: int, height: int, *, max_pixels: int, min_pixels: int = 3_136, multiple_of: int = 28) -> tuple[int, int]:
    """Width and height in pixels after `normalise_image`; a size that already fits is kept.

    The aspect ratio is kept as far as multiples of `multiple_of` and a ratio of at most 200 allow. The result never has
    more than `max_pixels` (Qwen's `smart_resize` can exceed it for strips), and never fewer than `min_pixels` where the
    two are a factor of two apart, so the processor resizes nothing again.

    Raises:
        UserError: The budget holds no picture at all.
    """
    if multiple_of < 1:
        raise UserError(f"multiple_of={multiple_of}", where="image sizes", expected="at least 1")
    max_cells = max_pixels // multiple_of**2
    min_cells = -(-min_pixels // multiple_of**2)
    if not 1 <= min_cells <= max_cells:
        raise UserError(
            f"min_pixels={min_pixels}, max_pixels={max_pixels} hold no picture",
            where="image sizes",
            expected=f"1 ≤ min_pixels ≤ max_pixels with a multiple of {multiple_of}² = {multiple_of**2} between them",
        )
    cells = width * height / multiple_of**2
    scale = math.sqrt(min(max(cells, min_cells), max_cells) / cells) / multiple_of
    short, long = (max(1, round(side * scale)) for side in sorted((width, height)))
    long = min(long, max_cells)
    short = max(short, -(-min_cells // long), -(-long // MAX_ASPECT_RATIO))
    long = min(long, max_cells // short)
    short, long = sorted((short, long))
    sides = (short, long) if width <= height else (long, short)
    return sides[0] * multiple_of, sides[1] * multiple_of


def _read(ref: ImageRef) -> bytes:
    try:
        if ref.data is None:
            # A pipe or a device would block, or never end.
            if not Path(ref.path or "").is_file():
                raise DataError(MISSING, "no such file", where=ref.path)
            size = Path(ref.path).stat().st_size
        else:
            size = len(ref.data)
        if size > MAX_SOURCE_BYTES:
            raise DataError(TOO_LARGE, f"{size} bytes, at most {MAX_SOURCE_BYTES} are read", where=ref.path)
        data = ref.read()
    except (OSError, ValueError) as error:
        raise DataError(MISSING, str(error), where=ref.path) from error
    if not data:
        raise DataError(EMPTY, "no bytes", where=ref.path)
    return data


def _open(data: bytes, where: str | None) -> Image:
    """The opened, undecoded picture, with its size checked from the header alone."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise DataError(UNKNOWN_FORMAT, f"none of {', '.join(FORMATS)}", where=where) from error
    except Image.DecompressionBombError as error:
        raise DataError(TOO_LARGE, str(error), where=where) from error
    except Exception as error:  # Pillow's readers let through whatever broken headers make them raise
        raise DataError(BROKEN, str(error) or type(error).__name__, where=where) from error
    width, height = image.size
    if width < 1 or height < 1:
        raise DataError(BROKEN, f"{width}×{height} pixels", where=where)
    if width * height > MAX_SOURCE_PIXELS:
        raise DataError(TOO_LARGE, f"{width}×{height} pixels, at most {MAX_SOURCE_PIXELS} are decoded", where=where)
    return image


def _turn_upright(image: Image) -> None:
    from PIL import ImageOps

    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # a broken EXIF block says nothing about the pixels, which are decoded by now
        return


def _grey_8(image: Image) -> Image:
    """Wide grey → 8 bits: the upper byte of 16-bit grey; other numbers by the first usual range that holds them."""
    import numpy as np
    from PIL import Image

    if image.mode in _GREY_16:
        values = np.asarray(image)
        grey = (values >> 8).astype(np.uint8)
        if isinstance(transparent := image.info.get("transparency"), int):
            grey[values == transparent] = 255
        return Image.fromarray(grey)
    values = np.array(image, dtype=np.float32)
    np.nan_to_num(values, copy=False, posinf=0.0, neginf=0.0)
    top = float(values.max())
    white = next((bound for bound in ((255, 65535) if image.mode == "I" else (1, 255, 65535)) if top <= bound), top)
    values *= 255 / white
    np.clip(np.rint(values, out=values), 0, 255, out=values)
    return Image.fromarray(values.astype(np.uint8))


def _flatten(image: Image) -> Image:
    """RGB, or RGBA where something is transparent."""
    if image.mode in _GREY_16 or image.mode in ("I", "F"):
        image = _grey_8(image)
    transparent = image.mode in _ALPHA or "transparency" in image.info
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    return image.convert("RGBA" if transparent else "RGB")


def normalise_image(ref: ImageRef, *, max_pixels: int, min_pixels: int = 3_136, multiple_of: int = 28) -> bytes:
    """Decodes a picture from anywhere and encodes it as an 8-bit RGB PNG of a size the model takes without resizing.

    EXIF orientation is applied, transparency laid over white, palettes, CMYK, 1-bit and 16-bit pictures converted, the
    first frame taken of animations, colour profiles and metadata left behind. Deterministic; a result normalises to
    itself, byte for byte.

    Args:
        ref: The picture.
        max_pixels: Most pixels of the result.
        min_pixels: Fewest pixels of the result.
        multiple_of: Both sides become multiples of it.

    Returns:
        The PNG file.

    Raises:
        DataError: With one of this module's reasons: missing, empty, too large (bytes or pixels: decompression bombs
            are refused before decoding), unknown format, broken or truncated, unknown mode.
        UserError: The sizes asked for hold no picture.
    """
    data = _read(ref)
    with warnings.catch_warnings():
        # Pillow warns of what is either refused here by name or does no harm.
        warnings.simplefilter("ignore")
        return _normalised(data, ref.path, {"max_pixels": max_pixels, "min_pixels": min_pixels, "multiple_of": multiple_of})


def decode_image(ref: ImageRef) -> Image:
    """The decoded picture as it is stored: any mode, any size, not turned. Raises DataError as `normalise_image` does."""
    data = _read(ref)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _decoded(data, ref.path)


def image_size(ref: ImageRef) -> tuple[int, int]:
    """Width and height in pixels as the header says; the picture is not decoded. Raises DataError as `normalise_image` does."""
    data = _read(ref)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _open(data, ref.path).size


def _decoded(data: bytes, where: str | None) -> Image:
    image = _open(data, where)
    try:
        image.load()
    except Exception as error:  # decoders of broken data raise nearly any exception
        raise DataError(BROKEN, str(error) or type(error).__name__, where=where) from error
    return image


def _normalised(data: bytes, where: str | None, sizes: dict[str, int]) -> bytes:
    from PIL import Image

    image = _decoded(data, where)
    plain = image.format == "PNG" and image.mode == "RGB" and data[24:26] == _PLAIN_PNG and not image.info
    _turn_upright(image)
    size = target_size(*image.size, **sizes)
    if plain and image.size == size:
        return data
    try:
        image = _flatten(image)
    except Exception as error:  # conversions that Pillow does not know, and palettes that are broken
        raise DataError(UNKNOWN_MODE, f"{image.mode}: {error}", where=where) from error
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", size, "white"), image).convert("RGB")
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
