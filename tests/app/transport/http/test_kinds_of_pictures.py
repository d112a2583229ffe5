"""One drawn picture, stored in every way that photos come, gives one class.

The engine here tells which quarter of its input is brightest. So a picture that was turned,
inverted, cut elsewhere or composited wrongly gives another class.
"""

from collections.abc import Callable, Collection, Iterator

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.settings import Settings
from tests.support.colours import COLOURS, colour_outputs
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import post_image, top_classes
from tests.support.images import encode, encode_oriented
from tests.support.server import LiveServer, running

TOP_RIGHT = 1


def brightest_quarter(
    images: NDArray[np.uint8], outputs: Collection[str]
) -> dict[str, NDArray[np.float32]]:
    """Logits of the quarters top left, top right, bottom left, bottom right; then zeros."""
    batch, height, width, _ = images.shape
    quarters = images.reshape(batch, 2, height // 2, 2, width // 2, 3).mean(axis=(2, 4, 5))
    logits = np.zeros((batch, len(COLOURS)), np.float32)
    logits[:, :4] = quarters.reshape(batch, 4)
    return {"logits": logits}


def drawn() -> Image.Image:
    """Wider than high, and bright at the top right of what the crop keeps."""
    picture = Image.new("RGB", (90, 60), (70, 30, 20))
    picture.paste((250, 220, 90), (48, 4, 74, 28))
    picture.paste((255, 255, 255), (0, 40, 10, 60))  # brighter still, but cropped away
    return picture


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    engine = FakeEngine()
    with running(make_settings(), FakeEngines(engine)) as live:
        engine.respond = brightest_quarter
        yield live
        engine.respond = colour_outputs


def _see_through() -> Image.Image:
    """Dark where it is opaque, and bright only by the white background that shines through."""
    picture = Image.new("RGBA", (90, 60), (10, 10, 10, 255))
    picture.paste((0, 0, 0, 0), (48, 4, 74, 28))
    return picture


GREY = drawn().convert("L")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(drawn()), id="RGB"),
        pytest.param(encode(drawn(), "JPEG"), id="JPEG"),
        pytest.param(encode(GREY, "JPEG"), id="greyscale"),
        pytest.param(encode(drawn().convert("CMYK"), "JPEG"), id="CMYK"),
        pytest.param(encode(drawn().quantize(16)), id="palette"),
        pytest.param(encode(drawn().convert("RGBA")), id="opaque alpha"),
        pytest.param(encode(_see_through()), id="alpha that shows the background"),
        pytest.param(
            encode(Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257)), id="16-bit"
        ),
        *(
            pytest.param(
                encode_oriented(drawn(), orientation), id=f"EXIF orientation {orientation}"
            )
            for orientation in range(1, 9)
        ),
    ],
)
def test_gives_the_same_class(client: httpx.Client, data: bytes) -> None:
    assert top_classes(post_image(client, data)) == [TOP_RIGHT]


def test_the_class_depends_on_the_picture_s_orientation(client: httpx.Client) -> None:
    turned = drawn().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert top_classes(post_image(client, encode(turned))) == [0]
