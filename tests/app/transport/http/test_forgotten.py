"""What is refused is forgotten at once, and not when the garbage collector comes."""

import gc
import tracemalloc

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.foreign import INFER
from tests.support.images import encode

SIZE = 4 << 20
TIMES = 8
OTHER_FORMAT = b"x" * SIZE
# Noise, of which no byte is saved.
_PIXELS = np.random.default_rng(0).integers(0, 256, (1200, 1300, 3), np.uint8)
BROKEN = encode(Image.fromarray(_PIXELS))[:SIZE]


@pytest.mark.parametrize("image", [OTHER_FORMAT, BROKEN], ids=["another format", "broken"])
@pytest.mark.parametrize("path", ["/classify", "/explain", "/", "/predictions/colours", INFER])
def test_a_bad_image(client: httpx.Client, path: str, image: bytes) -> None:
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": "0"}
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        answers = [client.post(path, content=image, headers=headers) for _ in range(TIMES)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert {answer.status_code for answer in answers} <= {415, 422}
    assert held < 2 * SIZE
