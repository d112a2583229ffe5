"""How much memory stays resident, read from the kernel's own count."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.contract.signature import Signature
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
    # Below the size at which glibc maps a block on its own, so that all lie in one heap; and
    # written, for what is only promised is not resident.
    blocks = [b"x" * 100_000 for _ in range(1000)]
    pin = bytes(100_000)
    del blocks
    before = resident_bytes()
    return_freed_memory()
    assert before - resident_bytes() > 50 * _MIB
    assert len(pin) == 100_000


# In a process of its own, for glibc takes a block from what is free in a heap before it maps one,
# and other tests leave much that is free.
_FREED = """
import numpy as np
from tests.app.engines.test_freed_memory import resident_bytes
from app.engines.freed_memory import large_blocks_mapped, return_freed_memory

mib = 2**20
# Freed, it has glibc take smaller blocks from heaps, as a large photo does.
assert np.ones(31 * mib, np.uint8).all()
with large_blocks_mapped():
    blocks = [np.ones(mib, np.uint8) for _ in range(64)]
before = resident_bytes()
del blocks
print(before - resident_bytes())
return_freed_memory()
blocks = [np.ones(mib, np.uint8) for _ in range(16)]
before = resident_bytes()
del blocks
print(before - resident_bytes())
"""


def test_what_is_freed_of_a_model_goes_back_at_once_and_pixels_stay_for_the_next_photo() -> None:
    command = [sys.executable, "-c", _FREED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    of_a_model, of_photos = map(int, done.stdout.split())
    assert of_a_model > 60 * _MIB
    assert of_photos < _MIB


_SIDE = 16
_WIDTH = 3 * _SIDE * _SIDE
_SIGNATURE = Signature.model_validate(
    {
        "inputs": [
            {
                "name": "pixels",
                "shape": ["n", _SIDE, _SIDE, 3],
                "dtype": "uint8",
                "meaning": "image",
            }
        ],
        "outputs": [
            {"name": "scores", "shape": ["n", _WIDTH], "dtype": "float32", "meaning": "logits"}
        ],
    }
)


def layers(count: int) -> bytes:
    """`count` square layers, whose weights ONNX Runtime lays out anew."""
    width = _WIDTH
    generator = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(
            generator.standard_normal((width, width), dtype=np.float32), f"w{index}"
        )
        for index in range(count)
    ]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["x0"]),
    ]
    nodes += [
        helper.make_node("MatMul", [f"x{index}", f"w{index}"], [f"x{index + 1}"])
        for index in range(count)
    ]
    nodes[-1].output[0] = "scores"
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", _SIDE, _SIDE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", width])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def test_a_loaded_model_keeps_one_copy_of_its_weights(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(layers(28))
    return_freed_memory()
    before = resident_bytes()
    engine = OnnxEngines("cpu").load(file, "cpu", Layout(slots=1, threads=1), _SIGNATURE)
    assert resident_bytes() - before < 1.5 * file.stat().st_size
    assert len(engine.open_slots()) == 1
