"""KServe's own clients: its second protocol over HTTP and gRPC, and its first."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tritonclient")

from tests.foreign.photo import PHOTO, assert_equal

SCRIPT = Path(__file__).with_name("classify_with_kserve.py")


@pytest.fixture(scope="module")
def found(url: str, grpc_url: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), f"http://{url}", grpc_url],
        input=PHOTO,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def test_health(found: dict[str, Any]) -> None:
    assert found["ready"] == [True] * 7


@pytest.mark.parametrize("way", ["v2", "grpc"])
def test_the_second_protocol(found: dict[str, Any], answer: dict[str, Any], way: str) -> None:
    arrays = {name: np.array(values, np.float32) for name, values in found[way].items()}
    assert_equal(arrays, answer)


def test_the_first_protocol(found: dict[str, Any], answer: dict[str, Any]) -> None:
    expected = [
        {name: best[name] for name in ("label", "score", "class_index")}
        for best in answer["predictions"][:5]
    ]
    assert found["v1"] == {"predictions": [expected]}
