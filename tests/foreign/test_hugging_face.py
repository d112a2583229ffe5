"""Hugging Face's clients, in Python and under node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.foreign.photo import PHOTO

SCRIPT = Path(__file__).with_name("classify.mjs")


def test_python(url: str, answer: dict[str, Any]) -> None:
    client = InferenceClient(f"http://{url}")
    expected = [(best["label"], best["score"]) for best in answer["predictions"]]
    assert [(each.label, each.score) for each in client.image_classification(PHOTO)] == expected[:5]
    found = client.image_classification(PHOTO, top_k=2)
    assert [(each.label, each.score) for each in found] == expected[:2]
    with pytest.raises(HfHubHTTPError, match="function_to_apply"):
        client.image_classification(PHOTO, function_to_apply="sigmoid")


def test_node(url: str, answer: dict[str, Any]) -> None:
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, str(SCRIPT), f"http://{url}"],
        input=PHOTO,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    expected = [{"label": best["label"], "score": best["score"]} for best in answer["predictions"]]
    assert found["plain"] == expected[:5]
    assert found["two"] == expected[:2]
    assert "top_k" in found["refused"]
