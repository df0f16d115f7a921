"""Any picture becomes an RGB PNG that fits the model, or is refused with a reason; nothing else happens."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from rl_align.data import images
from rl_align.data.images import normalise_image, target_size
from rl_align.data.quarantine import DataError
from rl_align.errors import UserError
from rl_align.schema import ImageRef

BUDGET = {"max_pixels": 7056, "min_pixels": 3136, "multiple_of": 28}


def encode(image: Image.Image, file_format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def normalised(data: bytes) -> Image.Image:
    result = normalise_image(ImageRef(data=data), **BUDGET)
    image = Image.open(io.BytesIO(result))
    image.load()
    assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})
    assert image.size == target_size(*image.size, **BUDGET)
    return image


def reason(data: bytes) -> str:
    with pytest.raises(DataError) as caught:
        normalise_image(ImageRef(data=data), **BUDGET)
    assert isinstance(caught.value, UserError)
    return caught.value.reason


def close(image: Image.Image, colour: tuple[int, int, int], at=(42, 42), within: int = 6) -> bool:
    return all(abs(a - b) <= within for a, b in zip(image.getpixel(at), colour, strict=True))


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@settings(deadline=None, max_examples=300)
@given(
    width=st.integers(1, 100_000),
    height=st.integers(1, 100_000),
    cells=st.integers(2, 5_000),
    share=st.floats(0.0001, 0.5),
    factor=st.sampled_from([14, 28, 32]),
)
@example(width=1, height=2000, cells=9, share=0.1, factor=28)
@example(width=57, height=11_400, cells=4_000, share=0.5, factor=28)
def test_sizes_stay_inside_the_budget_and_are_kept_once_reached(width, height, cells, share, factor):
    budget = {"max_pixels": cells * factor**2, "min_pixels": max(1, int(cells * share)) * factor**2}
    w, h = target_size(width, height, **budget, multiple_of=factor)
    assert w % factor == h % factor == 0
    assert budget["min_pixels"] <= w * h <= budget["max_pixels"]
    assert max(w, h) <= 200 * min(w, h)
    assert target_size(w, h, **budget, multiple_of=factor) == (w, h)
    assert w == h or width == height or (w > h) == (width > height)


def test_aspect_ratio_is_kept_when_there_is_room():
    assert target_size(1120, 560, max_pixels=28**2 * 800) == (1120, 560)
    assert target_size(4000, 3000, max_pixels=1_003_520) == (1148, 868)


@pytest.mark.parametrize(
    "bad",
    [
        {"max_pixels": 100},
        {"max_pixels": 7056, "min_pixels": 9000},
        {"max_pixels": -1},
        {"max_pixels": 99, "multiple_of": 0},
    ],
)
def test_a_budget_that_holds_no_picture_is_a_user_error(bad):
    with pytest.raises(UserError, match="image sizes"):
        target_size(10, 10, **bad)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "I", "F", "YCbCr"])
def test_modes_become_rgb(mode):
    grey = mode in ("L", "LA", "1", "I;16", "I", "F")
    base = Image.new("RGB", (84, 84), "white" if mode == "1" else (150, 150, 150) if grey else (180, 40, 60))
    if mode == "I;16":
        image = Image.fromarray(np.full((84, 84), 150 * 257, dtype=np.uint16))
    elif mode == "F":
        image = Image.fromarray(np.full((84, 84), 150 / 255, dtype=np.float32))
    elif mode == "P":
        image = base.quantize(4)
    else:
        image = base.convert("L").convert(mode) if grey else base.convert(mode)
    assert image.mode == mode
    file_format = "JPEG" if mode in ("CMYK", "YCbCr") else "TIFF" if mode in ("F", "I") else "PNG"
    result = normalised(encode(image, file_format))
    assert close(result, base.getpixel((0, 0)))


def test_sixteen_bit_colour_is_brought_to_eight():
    row = b"\0" + struct.pack(">HHH", 180 * 257, 40 * 257, 60 * 257) * 84
    data = (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 84, 84, 16, 2, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(row * 84))
        + png_chunk(b"IEND", b"")
    )
    assert close(normalised(data), (180, 40, 60))
    assert normalise_image(ImageRef(data=data), **BUDGET)[24] == 8


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P-index", "P-bytes", "RGB-key", "L-key", "I;16-key"])
def test_transparency_becomes_white_even_over_black(mode):
    image = Image.new("RGBA", (84, 84), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 83, 40), fill=(90, 90, 90, 255))
    options = {}
    if mode.startswith("P"):
        image = Image.new("P", (84, 84), 0)
        image.putpalette([0, 0, 0, 90, 90, 90])
        ImageDraw.Draw(image).rectangle((0, 0, 83, 40), fill=1)
        options = {"transparency": 0 if mode == "P-index" else b"\x00\xff"}
    elif mode == "I;16-key":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        options = {"transparency": 0}
    elif mode.endswith("-key"):
        image = image.convert(mode[:-4])
        options = {"transparency": (0, 0, 0) if mode == "RGB-key" else 0}
    elif mode == "LA":
        image = image.convert("LA")
    result = normalised(encode(image, "PNG", **options))
    assert close(result, (90, 90, 90), at=(42, 20))
    assert close(result, (255, 255, 255), at=(42, 70))


def test_half_transparency_and_edges_do_not_bleed_the_hidden_colour():
    image = Image.new("RGBA", (840, 840), (255, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 419, 839), fill=(0, 0, 255, 128))
    result = np.asarray(normalised(encode(image))).astype(int)
    assert close(normalised(encode(image)), (127, 127, 255), at=(10, 42))
    assert (result[..., 2] >= result[..., 0]).all(), "hidden red shows at the edge"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(orientation, file_format):
    upright = Image.new("RGB", (112, 56), "white")
    ImageDraw.Draw(upright).rectangle((0, 0, 50, 27), fill=(0, 0, 200))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(orientation)
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    result = normalised(encode(stored, file_format, exif=exif, quality=95))
    assert result.size == (112, 56)
    assert close(result, (0, 0, 200), at=(20, 12), within=25)
    assert close(result, (255, 255, 255), at=(100, 45), within=25)


def test_a_broken_exif_block_does_not_cost_the_picture():
    data = encode(Image.new("RGB", (84, 84), (10, 200, 10)), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xffgarbage")
    assert close(normalised(data), (10, 200, 10))


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken(file_format):
    frames = [Image.new("RGB", (84, 84), colour) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    data = encode(frames[0], file_format, save_all=True, append_images=frames[1:])
    assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == 3
    assert close(normalised(data), (200, 0, 0))


def test_colour_profiles_and_texts_are_left_behind():
    from PIL import ImageCms
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Comment", "<|im_end|>")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encode(Image.new("RGB", (84, 84), (1, 2, 3)), pnginfo=texts, icc_profile=profile)
    result = normalise_image(ImageRef(data=data), **BUDGET)
    assert b"im_end" not in result and b"iCCP" not in result


@pytest.mark.parametrize("size", [(1, 2000), (2000, 1), (1, 1), (3, 3), (28, 28), (6000, 2), (85, 83)])
def test_any_size_ends_inside_the_budget(size):
    result = normalised(encode(Image.new("RGB", size, (50, 60, 70))))
    assert BUDGET["min_pixels"] <= result.width * result.height <= BUDGET["max_pixels"]
    assert close(result, (50, 60, 70), at=(0, 0))


def test_results_normalise_to_themselves_and_fitting_files_are_passed_through():
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (300, 200, 3), dtype=np.uint8))
    once = normalise_image(ImageRef(data=encode(noise)), **BUDGET)
    assert normalise_image(ImageRef(data=encode(noise)), **BUDGET) == once
    assert normalise_image(ImageRef(data=once), **BUDGET) == once
    fitting = encode(noise.resize((84, 84)), compress_level=1)
    assert normalise_image(ImageRef(data=fitting), **BUDGET) == fitting


def test_reasons_for_files_that_hold_no_picture(tmp_path):
    with pytest.raises(DataError, match="nowhere.png") as caught:
        normalise_image(ImageRef(path=str(tmp_path / "nowhere.png")), **BUDGET)
    assert caught.value.reason == images.MISSING
    with pytest.raises(DataError) as caught:
        normalise_image(ImageRef(path=str(tmp_path)), **BUDGET)
    assert caught.value.reason == images.MISSING
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError) as caught:
        normalise_image(ImageRef(path=str(tmp_path / "pipe")), **BUDGET)
    assert caught.value.reason == images.MISSING
    assert reason(b"") == images.EMPTY
    assert reason(b"GIF89a") in (images.UNKNOWN_FORMAT, images.BROKEN)
    assert reason(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == images.UNKNOWN_FORMAT
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == images.UNKNOWN_FORMAT
    assert reason(bytes(1000)) == images.UNKNOWN_FORMAT


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_truncated_pictures_are_refused(file_format):
    rng = np.random.default_rng(0)
    data = encode(Image.fromarray(rng.integers(0, 255, (90, 90, 3), dtype=np.uint8)), file_format)
    for share in (0.5, 0.9):
        assert reason(data[: int(len(data) * share)]) in (images.BROKEN, images.UNKNOWN_FORMAT)


def _png_header(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(8000, 8000), (12_000, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bombs_are_refused_from_the_header(size):
    assert reason(_png_header(*size)) in (images.TOO_LARGE, images.BROKEN)


def test_a_huge_file_is_refused_unread(tmp_path):
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DataError) as caught:
        normalise_image(ImageRef(path=str(huge)), **BUDGET)
    assert caught.value.reason == images.TOO_LARGE
    assert reason(bytes(images.MAX_SOURCE_BYTES + 1)) == images.TOO_LARGE


@settings(deadline=None, max_examples=150)
@given(
    file_format=st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"]),
    flips=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), max_size=8),
    keep=st.floats(0.05, 1),
)
def test_damaged_files_give_a_picture_or_a_reason_never_another_error(file_format, flips, keep):
    data = bytearray(DAMAGED[file_format])
    for place, value in flips:
        data[int(place * len(data))] = value
    try:
        normalised(bytes(data[: max(1, int(len(data) * keep))]))
    except DataError as error:
        assert error.reason in REASONS


REASONS = {images.EMPTY, images.TOO_LARGE, images.UNKNOWN_FORMAT, images.BROKEN, images.UNKNOWN_MODE}
DAMAGED = {
    name: encode(Image.linear_gradient("L").resize((40, 30)).convert("P" if name == "GIF" else "RGB"), name)
    for name in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
}
