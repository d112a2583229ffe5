"""The photo that the clients send, and what its answer must be."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
PHOTO = (ROOT / "app/transport/http/demo/static/examples/church.jpg").read_bytes()
MODEL = "imagenette"


def assert_equal(found: dict[str, NDArray[np.float32]], answer: dict[str, Any]) -> None:
    """Compares tensors of one image with the answer of `/classify`, of all classes."""
    scores = [best["score"] for best in answer["predictions"]]
    order = [best["class_index"] for best in answer["predictions"]]
    np.testing.assert_allclose(found["scores"][0][order], scores, atol=1e-6)
    embedding = np.array(answer["embedding"], np.float32)
    np.testing.assert_array_equal(found["embedding"][0], embedding)
    maps = np.array([best["cam"] for best in answer["predictions"]], np.float32)
    np.testing.assert_array_equal(found["cam"][0][order], maps)
