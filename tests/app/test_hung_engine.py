"""An engine that does not come back: a real ONNX model that loops for ever on a white picture."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.http import assert_problem, post_image
from tests.support.images import encode, photo
from tests.support.looping import FOR_EVER_ON_WHITE, write_looping_model
from tests.support.waiting import BOUND_SECONDS, eventually


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_hung_engine_fails_its_batch_and_ends_the_process(tmp_path: Path, free_port: int) -> None:
    write_looping_model(tmp_path, FOR_EVER_ON_WHITE)
    options = ["--model-repository", str(tmp_path), "--model", "colours", "--port", str(free_port)]
    url = f"http://127.0.0.1:{free_port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *options, "--inference-timeout-ms", "500"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: is_ready(url))
        with httpx.Client(base_url=url, timeout=BOUND_SECONDS, trust_env=False) as client:
            good = post_image(client, encode(photo((96, 96, 96))))
            hung = post_image(client, encode(photo((255, 255, 255)).point(lambda _: 255)))
        _, errors = process.communicate(timeout=BOUND_SECONDS)
    finally:
        process.kill()
        process.wait()

    assert good.status_code == 200
    assert_problem(hung, 500, "inference_failed")
    assert process.returncode == 1
    assert errors.splitlines() == ["error: a batch did not come back within 0.5 s"]
