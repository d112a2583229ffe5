"""Every kind of picture becomes the array that the network expects."""

import contextlib
import zlib
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.contract.errors import ImageError, ImageTooLarge, InvalidImage, UnsupportedImageFormat
from app.contract.manifest import Preprocessing
from app.contract.preprocess import preprocess
from tests.support.images import (
    EXTENSIONS,
    encode,
    encode_oriented,
    landscape,
    png_header,
    truncated_jpeg,
)

MAX_PIXELS = 1_000_000
PLAIN = Preprocessing(resize_shorter_side=40, crop_height=32, crop_width=36, scaled_decoding=False)
PICTURE = landscape()


def run(data: bytes, preprocessing: Preprocessing = PLAIN) -> NDArray[np.uint8]:
    array = preprocess(data, preprocessing, max_pixels=MAX_PIXELS)
    assert array.dtype == np.uint8
    assert array.shape == (preprocessing.crop_height, preprocessing.crop_width, 3)
    return array


def with_(**changes: object) -> Preprocessing:
    return Preprocessing.model_validate(PLAIN.model_dump() | changes)


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(a.astype(np.int64) - b).mean())


def resized_whole(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """The textbook order, rounded as torchvision does: resize the whole picture, then crop it."""
    side = preprocessing.resize_shorter_side
    longer = int(side * max(image.size) / min(image.size))
    size = (side, longer) if image.width <= image.height else (longer, side)
    if preprocessing.geometry == "squash":
        size = (side, side)
    whole = image.resize(size, Image.Resampling[preprocessing.interpolation.upper()])
    left = round((whole.width - preprocessing.crop_width) / 2)
    top = round((whole.height - preprocessing.crop_height) / 2)
    return whole.crop((left, top, left + preprocessing.crop_width, top + preprocessing.crop_height))


UPRIGHT = run(encode(PICTURE))
SHAPES = [(96, 64), (64, 96), (80, 80), (41, 75), (20, 24), (400, 300), (301, 227), (333, 500)]
TORCHVISION = with_(geometry="torchvision")


def grainy(size: tuple[int, int]) -> Image.Image:
    """Detail of every frequency, so that a shift by a small part of a pixel shows."""
    grain = np.random.default_rng(size).normal(0, 40, (size[1], size[0], 3))
    return Image.fromarray((np.asarray(landscape(size)) + grain).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", SHAPES)
def test_the_exact_centre_is_near_to_resizing_the_whole_and_cropping_it(
    size: tuple[int, int], interpolation: str
) -> None:
    preprocessing = with_(interpolation=interpolation)
    image = landscape(size)
    # Only the rounding of sizes and of the crop's corner may differ: half a pixel of a smooth
    # picture, which has its steepest slope across the shortest side.
    whole = np.asarray(resized_whole(image, preprocessing))
    assert difference(run(encode(image), preprocessing), whole) < 2.5


@pytest.mark.parametrize("geometry", ["torchvision", "squash"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("crop", [(32, 36), (40, 40), (39, 33)])
@pytest.mark.parametrize("size", SHAPES)
def test_equals_resizing_the_whole_and_cropping_it(
    size: tuple[int, int], crop: tuple[int, int], interpolation: str, geometry: str
) -> None:
    preprocessing = with_(
        geometry=geometry, interpolation=interpolation, crop_height=crop[0], crop_width=crop[1]
    )
    image = grainy(size)
    array = run(encode(image), preprocessing)
    off = np.abs(array.astype(int) - np.asarray(resized_whole(image, preprocessing)))
    assert off.max() <= 2
    assert off.mean() < 0.03


@pytest.mark.parametrize("geometry", ["torchvision", "squash"])
@pytest.mark.parametrize("size", [(95, 64), (64, 95), (93, 64), (41, 150)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_crop_of_a_turned_photo_is_that_of_the_upright_one(
    orientation: int, size: tuple[int, int], geometry: str
) -> None:
    preprocessing = with_(geometry=geometry)
    image = grainy(size)
    off = np.abs(
        run(encode_oriented(image, orientation, "PNG"), preprocessing).astype(int)
        - np.asarray(resized_whole(image, preprocessing))
    )
    # By a quarter turn the passes over columns and rows change places, and each rounds.
    assert off.max() <= 2
    assert off.mean() < 0.3


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK"])
def test_torchvision_s_crop_of_other_colours_is_the_same_region(mode: str) -> None:
    image = landscape((301, 227))
    expected = np.asarray(
        resized_whole(image.convert("L" if mode in ("L", "LA") else "RGB"), PLAIN).convert("RGB")
    )
    data = encode(image.convert(mode), "TIFF")
    assert difference(run(data, TORCHVISION), expected) < 0.3


def test_a_tall_photo_is_that_of_pillow_but_for_the_order_of_its_passes() -> None:
    image = grainy((41, 150))
    off = np.abs(run(encode(image), TORCHVISION).astype(int) - resized_whole(image, TORCHVISION))
    assert off.max() <= 2


@pytest.mark.parametrize("size", [(1, 400_000), (400_000, 1), (3, 130_000)])
def test_needles_are_resized_without_growing_on_the_way(size: tuple[int, int]) -> None:
    data = encode(Image.new("L", size, 77))
    assert (run(data, TORCHVISION) == 77).all()
    with pytest.raises(ImageTooLarge, match="can be squashed"):
        run(data, with_(geometry="squash"))


def test_no_resizing_and_an_even_margin_is_an_exact_crop() -> None:
    image = landscape((46, 40))
    assert np.array_equal(run(encode(image)), np.asarray(image)[4:36, 5:41])


def test_without_antialias_pixels_between_the_samples_do_not_count() -> None:
    stripes = np.zeros((160, 160, 3), np.uint8)
    stripes[:, ::4] = 255
    data = encode(Image.fromarray(stripes))
    smooth = run(data)
    assert smooth.std() < 10
    assert smooth.mean() == pytest.approx(255 / 4, abs=3)
    sampled = run(data, with_(antialias=False, interpolation="nearest"))
    assert set(np.unique(sampled)) <= {0, 255}


def test_antialias_changes_nothing_where_nothing_shrinks() -> None:
    data = encode(landscape((36, 34)))
    assert difference(run(data), run(data, with_(antialias=False))) < 1


@pytest.mark.parametrize("side", [146, 295])
def test_a_crop_as_large_as_the_picture_survives_rounding(side: int) -> None:
    whole = Preprocessing(resize_shorter_side=side, crop_height=side, crop_width=side)
    lengths = [length for length in range(1, 600) if length / side * side > length]
    assert lengths
    for length in lengths:
        data = _flat_png(length)
        assert preprocess(data, whole, max_pixels=MAX_PIXELS).shape == (side, side, 3)


def _flat_png(side: int) -> bytes:
    return encode(Image.new("L", (side, side), 90), compress_level=0)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_tiny_and_narrow_pictures_are_stretched(size: tuple[int, int]) -> None:
    array = run(encode(Image.new("RGB", size, (10, 20, 30))))
    assert (array == (10, 20, 30)).all()


@pytest.mark.parametrize(
    ("image_format", "tolerance"),
    [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("WEBP", 3), ("AVIF", 3), ("JPEG", 3), ("GIF", 6)],
)
def test_every_format_gives_the_same_picture(image_format: str, tolerance: float) -> None:
    assert difference(run(encode(PICTURE, image_format)), UPRIGHT) <= tolerance


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        pytest.param(encode(PICTURE, "JPEG", progressive=True, quality=95), 2, id="progressive"),
        pytest.param(encode(PICTURE, "PNG", interlace=1), 0, id="PNG"),
        pytest.param(encode(PICTURE, "WEBP", lossless=True), 0, id="lossless WebP"),
        pytest.param(encode(PICTURE, "TIFF", compression="tiff_lzw"), 0, id="TIFF, LZW"),
        pytest.param(encode(PICTURE, "TIFF", compression="jpeg", quality=95), 2, id="TIFF, JPEG"),
        pytest.param(
            encode(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(180)], quality=95),
            2,
            id="two pictures in one JPEG, as phones make them",
        ),
        pytest.param(encode(PICTURE.convert("CMYK"), "TIFF"), 2, id="CMYK TIFF"),
        pytest.param(encode(PICTURE.convert("CMYK"), "JPEG", quality=95), 4, id="CMYK JPEG"),
        pytest.param(encode(PICTURE.convert("RGBA"), "PNG"), 0, id="opaque RGBA"),
        pytest.param(encode(PICTURE.convert("RGBA"), "WEBP", lossless=True), 0, id="RGBA WebP"),
        pytest.param(encode(PICTURE.quantize(256), "PNG"), 6, id="palette"),
        pytest.param(encode(PICTURE.quantize(256), "BMP"), 6, id="palette BMP"),
    ],
)
def test_colour_pictures_of_all_kinds(data: bytes, tolerance: float) -> None:
    assert difference(run(data), UPRIGHT) <= tolerance


GREY = PICTURE.convert("L")
GREY_INPUT = run(encode(GREY))
DEEP = (np.asarray(GREY).astype(np.uint16) << 8) + 77


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        pytest.param(encode(GREY, "JPEG", quality=95), 2, id="grey JPEG"),
        pytest.param(encode(GREY, "TIFF"), 0, id="grey TIFF"),
        pytest.param(encode(GREY.convert("LA"), "PNG"), 0, id="opaque LA"),
        pytest.param(encode(GREY.convert("P"), "PNG"), 0, id="grey palette"),
        pytest.param(encode(Image.fromarray(DEEP), "PNG"), 0, id="16-bit PNG"),
        pytest.param(encode(Image.fromarray(DEEP), "TIFF"), 0, id="16-bit TIFF"),
    ],
)
def test_grey_pictures_of_all_kinds(data: bytes, tolerance: float) -> None:
    array = run(data)
    assert difference(array, GREY_INPUT) <= tolerance
    assert (array[..., 0] == array[..., 1]).all()
    assert (array[..., 1] == array[..., 2]).all()


def test_black_and_white_pictures_become_grey_where_they_shrink() -> None:
    checks = Image.fromarray(np.indices((160, 160)).sum(axis=0) % 2 == 0)
    assert checks.mode == "1"
    assert abs(run(encode(checks)).astype(int) - 127).max() <= 2


def test_16_bit_colour_is_shown() -> None:
    pixels = np.asarray(PICTURE).astype(">u2") * 257
    rows = b"".join(b"\x00" + row.tobytes() for row in pixels)
    header = png_header(PICTURE.width, PICTURE.height)
    # The same file as an 8-bit one, but for the depth in its header and the wider samples.
    start = header.index(b"IHDR") + 4
    body = header[start : start + 8] + b"\x10" + header[start + 9 : start + 13]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(part).to_bytes(4, "big") + kind + part + zlib.crc32(kind + part).to_bytes(4, "big")
        for kind, part in ((b"IHDR", body), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
    assert difference(run(data), UPRIGHT) <= 1


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 128, 7)])
def test_transparency_shows_the_background(background: tuple[int, int, int]) -> None:
    preprocessing = with_(background=background)
    clear = Image.new("RGBA", (50, 50), (200, 10, 10, 0))
    assert (run(encode(clear), preprocessing) == background).all()
    half = run(encode(Image.new("RGBA", (50, 50), (100, 100, 100, 128))), preprocessing)
    expected = (np.array(background) * 127 + 100 * 128) / 255
    assert np.abs(half - expected).max() <= 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(Image.new("LA", (50, 50), (90, 0))), id="LA"),
        pytest.param(encode(Image.new("RGB", (50, 50)).quantize(4), transparency=0), id="palette"),
        pytest.param(encode(Image.new("P", (50, 50), 3), "GIF", transparency=3), id="GIF"),
        pytest.param(encode(Image.new("RGB", (50, 50)), transparency=(0, 0, 0)), id="RGB colour"),
        pytest.param(encode(Image.new("L", (50, 50), 9), transparency=9), id="grey level"),
        pytest.param(encode(Image.new("1", (50, 50), 1), transparency=255), id="bilevel"),
    ],
)
def test_every_way_to_be_transparent(data: bytes) -> None:
    assert (run(data, with_(background=(1, 2, 3))) == (1, 2, 3)).all()


def test_a_hidden_colour_does_not_bleed_over_a_transparent_edge() -> None:
    pixels = np.zeros((160, 160, 4), np.uint8)
    pixels[:, :80] = (255, 255, 255, 255)
    pixels[:, 80:] = (0, 0, 0, 0)  # black, but invisible
    assert run(encode(Image.fromarray(pixels))).min() >= 254


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_exif_orientations_give_the_upright_picture(
    orientation: int, image_format: str
) -> None:
    array = run(encode_oriented(PICTURE, orientation, image_format))
    assert difference(array, UPRIGHT) <= 2.5


def test_orientation_is_ignored_if_the_contract_says_so() -> None:
    data = encode_oriented(PICTURE, 6, "PNG")
    stored = run(encode(PICTURE.transpose(Image.Transpose.ROTATE_90)))
    assert np.array_equal(run(data, with_(exif_transpose=False)), stored)


def _one_entry(kind: int, value: bytes) -> bytes:
    """EXIF with nothing but an orientation, of that TIFF type and four value bytes."""
    count = (1 if kind == 3 else 2).to_bytes(4, "big")
    entry = b"\x01\x12" + kind.to_bytes(2, "big") + count + value
    return b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + entry + bytes(4)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff",
        b"Exif\x00\x00garbage",
        b"Exif\x00\x00MM\x00*\xff\xff\xff\xff",
        # The value 9, which does not exist.
        _one_entry(kind=3, value=b"\x00\x09\x00\x00"),
        # Text instead of a number.
        _one_entry(kind=2, value=b"a\x00\x00\x00"),
    ],
)
def test_corrupt_exif_does_not_spoil_the_picture(exif: bytes) -> None:
    plain = run(encode(PICTURE, "JPEG"))
    assert np.array_equal(run(encode(PICTURE, "JPEG", exif=exif)), plain)


@pytest.mark.parametrize("factor", [3, 5, 8, 12])
def test_scaled_decoding_is_close_to_full_decoding(factor: int) -> None:
    size = (96 * factor, 64 * factor)
    data = encode(landscape(size), "JPEG", quality=95)
    full = preprocess(data, PLAIN, max_pixels=MAX_PIXELS)
    scaled = preprocess(data, with_(scaled_decoding=True), max_pixels=MAX_PIXELS)
    assert difference(full, scaled) <= 1.5


@pytest.mark.parametrize("factor", [4, 8, 12])
def test_scaled_decoding_leaves_the_filter_something_to_average(factor: int) -> None:
    # One pixel more than a multiple of eight: what the decoder rounds up must not shift the crop.
    data = encode(grainy((60 * factor + 1, 40 * factor + 1)), "JPEG", quality=95)
    full = run(data, TORCHVISION)
    scaled = run(data, with_(geometry="torchvision", scaled_decoding=True))
    assert not np.array_equal(full, scaled)
    assert difference(full, scaled) <= 1.5


def test_a_squashed_photo_is_decoded_at_full_size() -> None:
    data = encode(grainy((330, 330)), "JPEG", quality=95)
    full, scaled = (with_(geometry="squash", scaled_decoding=on) for on in (False, True))
    assert np.array_equal(run(data, full), run(data, scaled))


def test_scaled_decoding_does_not_act_below_twice_the_size_that_is_needed() -> None:
    data = encode(grainy((158, 158)), "JPEG", quality=95)
    assert np.array_equal(
        run(data, TORCHVISION), run(data, with_(geometry="torchvision", scaled_decoding=True))
    )


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [PICTURE.quantize(256), PICTURE.rotate(180).quantize(256)]
    for image_format in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
        data = encode(
            frames[0].convert("RGB"),
            image_format,
            save_all=True,
            append_images=[frame.convert("RGB") for frame in frames[1:]],
        )
        assert difference(run(data), UPRIGHT) <= 7, image_format


def test_the_result_does_not_depend_on_the_mode_s_storage() -> None:
    array = run(encode(PICTURE))
    assert array.flags["C_CONTIGUOUS"]


def _with_size(
    data: bytes, at: int, width: int, height: int, order: Literal["little", "big"]
) -> bytes:
    size = width.to_bytes(2, order) + height.to_bytes(2, order)
    return data[:at] + size + data[at + 4 :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png_header(60_000, 60_000), id="PNG"),
        pytest.param(png_header(1_001, 1_000), id="PNG, just above"),
        pytest.param(
            _with_size(encode(PICTURE, "GIF"), 6, 60_000, 60_000, "little"), id="GIF screen"
        ),
        pytest.param(
            encode(PICTURE, "BMP")[:18]
            + (60_000).to_bytes(4, "little") * 2
            + encode(PICTURE, "BMP")[26:],
            id="BMP",
        ),
        pytest.param(
            (jpeg := encode(PICTURE, "JPEG"))[: (sof := jpeg.index(b"\xff\xc0")) + 5]
            + (60_000).to_bytes(2, "big") * 2
            + jpeg[sof + 9 :],
            id="JPEG",
        ),
    ],
)
def test_size_is_judged_by_the_header(data: bytes) -> None:
    with pytest.raises(ImageTooLarge):
        run(data)


def test_as_many_pixels_as_allowed_are_not_too_many() -> None:
    data = encode(Image.new("L", (100, 100), 5))
    assert preprocess(data, PLAIN, max_pixels=10_000).shape == (32, 36, 3)
    with pytest.raises(ImageTooLarge, match="100 x 100 pixels; at most 9999"):
        preprocess(data, PLAIN, max_pixels=9_999)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"text named photo.jpg", b"%PDF-1.4", b"<svg xmlns='x'/>", b"\x00" * 99]
)
def test_what_is_no_picture_is_an_unsupported_format(data: bytes) -> None:
    with pytest.raises(UnsupportedImageFormat):
        run(data)


def test_formats_that_pillow_knows_and_we_do_not_accept_stay_closed() -> None:
    for image_format in ("PPM", "TGA", "PCX", "ICO", "EPS", "JPEG2000", "PDF"):
        with pytest.raises(UnsupportedImageFormat):
            run(encode(PICTURE, image_format))


@pytest.mark.parametrize(("mode", "why"), [("I", "signed"), ("F", "floating"), ("LAB", "LAB")])
def test_pixels_without_a_colour_are_not_guessed_at(mode: str, why: str) -> None:
    with pytest.raises(UnsupportedImageFormat, match=why):
        run(encode(Image.new(mode, (40, 40)), "TIFF"))


@pytest.mark.parametrize(
    ("at", "value"), [pytest.param(30, 4, id="JPEG in it"), pytest.param(28, 2, id="2 bits")]
)
def test_kinds_of_bmp_that_are_not_decoded_are_called_so(at: int, value: int) -> None:
    data = encode(PICTURE, "BMP")
    with pytest.raises(UnsupportedImageFormat):
        run(data[:at] + bytes([value]) + data[at + 1 :])


@pytest.mark.parametrize("image_format", EXTENSIONS)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_truncated_pictures_are_invalid(image_format: str, part: float) -> None:
    whole = encode(PICTURE, image_format)
    with pytest.raises(InvalidImage):
        run(whole[: max(13, int(len(whole) * part))])


def test_a_truncated_photo_is_invalid() -> None:
    with pytest.raises(InvalidImage, match="JPEG"):
        run(truncated_jpeg())


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on broken metadata
@pytest.mark.parametrize("image_format", EXTENSIONS)
def test_noise_in_a_file_never_raises_anything_but_an_image_error(image_format: str) -> None:
    generator = np.random.default_rng(7)
    whole = np.frombuffer(encode(PICTURE.resize((40, 30)), image_format), np.uint8)
    for _ in range(60):
        noisy = whole.copy()
        places = generator.integers(0, len(whole), 4)
        noisy[places] = generator.integers(0, 256, 4)
        with contextlib.suppress(ImageError):
            run(noisy.tobytes())
