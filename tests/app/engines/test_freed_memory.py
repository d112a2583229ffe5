"""How much memory stays resident, read from the kernel's own count."""

import resource
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.engines.engine import Layout
from app.engines.freed_memory import return_freed_memory
from app.engines.onnx_engine import OnnxEngines

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = resource.getpagesize()
_MIB = 2**20

pytestmark = pytest.mark.skipif(not _STATM.exists(), reason="reads Linux's /proc")


def resident_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * _PAGE_BYTES


def test_returns_what_lies_below_a_live_block() -> None:
    # Below the size at which glibc maps a block on its own, so that all lie in one heap.
    blocks = [bytes(100_000) for _ in range(1000)]
    pin = bytes(100_000)
    del blocks
    before = resident_bytes()
    return_freed_memory()
    assert before - resident_bytes() > 50 * _MIB
    assert len(pin) == 100_000


def layers(count: int, width: int) -> bytes:
    """`count` square layers, whose weights ONNX Runtime lays out anew."""
    generator = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(
            generator.standard_normal((width, width), dtype=np.float32), f"w{index}"
        )
        for index in range(count)
    ]
    nodes = [
        helper.make_node("MatMul", [f"x{index}", f"w{index}"], [f"x{index + 1}"])
        for index in range(count)
    ]
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info(f"x{count}", TensorProto.FLOAT, ["n", width])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def test_a_loaded_model_keeps_one_copy_of_its_weights(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(layers(16, 1024))
    return_freed_memory()
    before = resident_bytes()
    engine = OnnxEngines("cpu").load(file, "cpu", Layout(slots=1, threads=1))
    assert resident_bytes() - before < 1.5 * file.stat().st_size
    assert len(engine.open_slots()) == 1
