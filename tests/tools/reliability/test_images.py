"""Every malformed, unusual and hostile image ends in a prediction or in its own error."""

import httpx
import pytest
from PIL import Image

from app.contract.errors import ImageTooLarge
from app.contract.manifest import Preprocessing
from app.contract.preprocess import preprocess
from tests.support.http import assert_problem, post_image
from tests.support.server import LiveServer
from tools.reliability.corpus import Case, corpus
from tools.reliability.corpus.pictures import encode
from tools.reliability.images import attempt

MAX_PIXELS = 40_000_000
PREPROCESSING = Preprocessing(resize_shorter_side=10, crop_height=8, crop_width=8)
STATUSES = {"invalid_image": 422, "image_too_large": 422, "unsupported_image_format": 415}
# Pillow's remarks on broken metadata.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """The corpus, without what takes long to make or decode."""
    return list(corpus(bomb_bytes=300_000, flips=10, many_pixels=False))


def test_every_image_ends_as_it_may(cases: list[Case]) -> None:
    assert len(cases) > 400
    endings = [attempt(case, PREPROCESSING, MAX_PIXELS) for case in cases]
    assert [
        (case.name, ending)
        for case, ending in zip(cases, endings, strict=True)
        if ending not in case.outcomes
    ] == []


def test_every_image_ends_so_over_http(
    cases: list[Case], server: LiveServer, client: httpx.Client
) -> None:
    for case in cases:
        response = post_image(client, case.data)
        if response.status_code == 200:
            assert "prediction" in case.outcomes, case.name
        elif not case.data:
            assert_problem(response, 400, "malformed_request")
        else:
            code = response.json()["code"]
            assert code in case.outcomes, case.name
            assert_problem(response, STATUSES[code], code)
    assert server.failures == []


@pytest.mark.parametrize(
    ("image_format", "options"),
    [("WEBP", {"lossless": True, "method": 0}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_a_limit_of_their_own_for_formats_that_need_much_memory(
    image_format: str, options: dict[str, object]
) -> None:
    data = encode(Image.new("L", (4_100, 4_000)), image_format, **options)
    with pytest.raises(ImageTooLarge, match=f"at most 16000000 are accepted in {image_format}"):
        preprocess(data, PREPROCESSING, max_pixels=MAX_PIXELS)
