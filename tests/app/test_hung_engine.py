"""An engine that does not come back: a real ONNX model that loops for ever on a white picture."""

import hashlib
import subprocess
import sys
from pathlib import Path

import httpx
import onnx
from onnx import TensorProto, helper

from tests.support.http import assert_problem, post_image
from tests.support.images import encode, photo
from tests.support.repository import ManifestDict, colour_model, write_model
from tests.support.waiting import BOUND_SECONDS, eventually


def looping_model() -> bytes:
    """The colour classifier, but a batch of mean brightness above 250 never ends."""
    model = onnx.load_from_string(colour_model())
    graph = model.graph
    for node in graph.node:
        node.output[:] = ["quick" if name == "logits" else name for name in node.output]

    def tensor(name: str, kind: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, None)

    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on_in"], ["go_on_out"]),
            helper.make_node("Add", ["sum_in", "one_float"], ["sum_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on_in", TensorProto.BOOL, []),
            tensor("sum_in", TensorProto.FLOAT),
        ],
        [
            helper.make_tensor_value_info("go_on_out", TensorProto.BOOL, []),
            tensor("sum_out", TensorProto.FLOAT),
        ],
    )
    for_ever = helper.make_graph(
        [helper.make_node("Loop", ["", "true", "quick"], ["looped"], body=body)],
        "for_ever",
        [],
        [tensor("looped", TensorProto.FLOAT)],
    )
    at_once = helper.make_graph(
        [helper.make_node("Identity", ["quick"], ["passed"])],
        "at_once",
        [],
        [tensor("passed", TensorProto.FLOAT)],
    )
    graph.node.extend(
        [
            helper.make_node("ReduceMean", ["floats"], ["brightness"], keepdims=0),
            helper.make_node("Greater", ["brightness", "white"], ["is_white"]),
            helper.make_node(
                "If", ["is_white"], ["logits"], then_branch=for_ever, else_branch=at_once
            ),
        ]
    )
    graph.initializer.extend(
        [
            helper.make_tensor("white", TensorProto.FLOAT, [], [250.0]),
            helper.make_tensor("one_float", TensorProto.FLOAT, [], [1.0]),
            helper.make_tensor("true", TensorProto.BOOL, [], [True]),
        ]
    )
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def write_looping_model(root: Path) -> None:
    content = looping_model()

    def change(manifest: ManifestDict) -> None:
        manifest["variants"][0]["sha256"] = hashlib.sha256(content).hexdigest()

    folder = write_model(root, change=change)
    (folder / "model.fp32.onnx").write_bytes(content)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_hung_engine_fails_its_batch_and_ends_the_process(tmp_path: Path, free_port: int) -> None:
    write_looping_model(tmp_path)
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
