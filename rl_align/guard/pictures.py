"""Whether bytes are a picture that may be handed on: PNG, JPEG, WebP or GIF, of a bounded size, and decodable to its end."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .config import ImagesConfig
from .errors import Code, GuardError

T = TypeVar("T")

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
EXPECTED = "expected PNG, JPEG, WebP or GIF"

#: Real progressive JPEGs have about ten scans. Thousands of them keep a decoder busy for hours.
_MOST_SCANS = 100
_START_OF_SCAN = b"\xff\xda"
#: Pixels times scans: every scan goes over the whole picture.
_MOST_WORK = 1_000_000_000
#: Pillow reads a file's structure piece by piece, in Python: a few megabytes of empty pieces would take seconds.
_MOST_READS = 50_000
_SMALL_BYTES = 2**16
#: A picture of no more pixels is decoded at once, in a millisecond or so: handing it to a thread takes as long on a busy machine.
_SMALL = 2**18


class Pictures:
    """Checks pictures, a few at the same time.

    Args:
        cfg: What is let through.
    """

    def __init__(self, cfg: ImagesConfig):
        self.max_bytes = int(cfg.max_mb * 2**20)
        self._max_pixels = int(cfg.max_megapixels * 1e6)
        self._most = f"at most {cfg.max_mb:g} MB"
        self._decoders = cfg.decoders
        self._threads: ThreadPoolExecutor | None = None

    async def check(self, data: bytes, param: str | None = None) -> str:
        """The media type of a picture that may be handed on.

        Args:
            data: The encoded picture.
            param: Where the request has it, for the error.

        Raises:
            GuardError: It may not, and why.
        """
        if len(data) > self.max_bytes:
            raise self.too_large(param)
        if len(data) > _SMALL_BYTES:
            return await self._in_thread(self._open_and_decode, data, param)
        image, kind = self._open(data, param)
        if image.size[0] * image.size[1] <= _SMALL:
            _decode(image, param)
        else:
            await self._in_thread(_decode, image, param)
        return kind

    def too_large(self, param: str | None) -> GuardError:
        """The error of a picture with too many bytes."""
        return GuardError(Code.image_too_large, f"the image is too large; expected {self._most}", param=param)

    def close(self) -> None:
        """Lets the threads go; the next check starts others."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        self._threads = self._threads or ThreadPoolExecutor(self._decoders, "guard-decoder")
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)

    def _open_and_decode(self, data: bytes, param: str | None) -> str:
        image, kind = self._open(data, param)
        _decode(image, param)
        return kind

    def _open(self, data: bytes, param: str | None):
        """The picture, its header read and nothing decoded yet."""
        from PIL import Image, UnidentifiedImageError

        try:
            image = Image.open(_Bounded(data), formats=FORMATS)
        except Image.DecompressionBombError:
            raise self._too_many_pixels(param) from None
        except UnidentifiedImageError:
            raise GuardError(Code.invalid_image_format, f"{_guess(data)}; {EXPECTED}", param=param) from None
        except Exception as error:  # Pillow's readers let through whatever broken headers make them raise
            raise _broken(param, error) from None
        width, height = image.size
        if width * height > self._max_pixels:
            raise self._too_many_pixels(param)
        scans = data.count(_START_OF_SCAN) if image.format in ("JPEG", "MPO") else 1
        if scans > _MOST_SCANS or scans * width * height > _MOST_WORK:
            raise GuardError(Code.image_parse_error, f"the JPEG has {scans} scans, too many for its size", param=param)
        return image, _MEDIA_TYPES[image.format or ""]

    def _too_many_pixels(self, param: str | None) -> GuardError:
        what = f"the image has too many pixels; expected at most {self._max_pixels / 1e6:g} million"
        return GuardError(Code.image_too_large, what, param=param)


class _Bounded(io.BytesIO):
    """Bytes that can be read so many times."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self._left = _MOST_READS

    def read(self, size: int | None = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many pieces")
        return super().read(size)


def _decode(image, param: str | None) -> None:
    try:
        # JPEG: read to the end as ever, but an eighth of the size is computed.
        image.draft("L", (1, 1))
        image.load()
    except Exception as error:  # decoders of broken data raise nearly any exception
        raise _broken(param, error) from None


def _broken(param: str | None, error: Exception) -> GuardError:
    what = "the image is broken or cut off: it cannot be decoded"
    return GuardError(Code.image_parse_error, what, param=param, detail=type(error).__name__)


def _guess(data: bytes) -> str:
    """What bytes that are no picture seem to be."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml")) or b"<svg" in head:
        return "the image is SVG or XML"
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<!--", b"<script")):
        return "the image is an HTML page"
    return "the image is empty" if not data else "the image is of no known format"
