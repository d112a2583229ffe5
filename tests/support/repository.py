"""Model repositories on disk that hold the colour classifier as a real ONNX file."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from app.contract.signature import of_schema_1
from tests.support.colours import BIAS, COLOURS, INPUT_SIDE, RESIZE_SIDE, WEIGHT, colour_outputs

ManifestDict = dict[str, Any]

OPSET = 20
COLOUR_SIGNATURE = of_schema_1(INPUT_SIDE, INPUT_SIDE, len(COLOURS)).completed(
    {
        "logits": ("batch", len(COLOURS)),
        "embedding": ("batch", 3),
        "cam": ("batch", len(COLOURS), INPUT_SIDE, INPUT_SIDE),
    }
)


@cache
def colour_model() -> bytes:
    """The colour classifier as a self-contained ONNX file."""
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "scale"], ["pixels"]),
        helper.make_node("ReduceMean", ["pixels", "spatial"], ["embedding"], keepdims=0),
        helper.make_node("Gemm", ["embedding", "weight", "bias"], ["logits"]),
        helper.make_node("MatMul", ["pixels", "weight"], ["pixel_logits"]),
        helper.make_node("Transpose", ["pixel_logits"], ["cam"], perm=[0, 3, 1, 2]),
    ]
    side, classes = INPUT_SIDE, len(COLOURS)
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", side, side, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("cam", TensorProto.FLOAT, ["batch", classes, side, side]),
        ],
        [
            numpy_helper.from_array(np.array(255, np.float32), "scale"),
            numpy_helper.from_array(np.array([1, 2], np.int64), "spatial"),
            numpy_helper.from_array(WEIGHT, "weight"),
            numpy_helper.from_array(BIAS, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    checker.check_model(model, full_check=True)
    serialized: bytes = model.SerializeToString()
    return serialized


def colour_manifest(name: str = "colours", version: int = 1) -> ManifestDict:
    """A valid manifest of the colour classifier."""
    return {
        "schema_version": 2,
        "name": name,
        "version": version,
        "architecture": "mean_colour",
        "source": {"weights": "computed from the colours", "licence": "Apache-2.0"},
        "input": {"height": INPUT_SIDE, "width": INPUT_SIDE},
        "signature": COLOUR_SIGNATURE.model_dump(mode="json"),
        "preprocessing": {
            "resize_shorter_side": RESIZE_SIDE,
            "crop_height": INPUT_SIDE,
            "crop_width": INPUT_SIDE,
        },
        "labels": [
            {"index": index, "id": "c{:02x}{:02x}{:02x}".format(*colour), "name": f"colour {index}"}
            for index, colour in enumerate(COLOURS)
        ],
        "variants": [
            {
                "precision": "fp32",
                "file": "model.fp32.onnx",
                "sha256": hashlib.sha256(colour_model()).hexdigest(),
                "opset": OPSET,
                "parity": {
                    "reference": "NumPy",
                    "max_abs_logit_diff": 1e-5,
                    "top1_agreement": 1.0,
                },
            }
        ],
        "golden": {
            "inputs": "golden.inputs.npy",
            "logits": "golden.logits.npy",
            "tolerance": {"fp32": 1e-3},
        },
    }


def in_schema_1(manifest: ManifestDict) -> None:
    """Makes a manifest of the colour classifier one as they were before they had a signature."""
    del manifest["signature"]
    manifest["schema_version"] = 1


def write_model(
    root: Path,
    *,
    name: str = "colours",
    version: int = 1,
    model: bytes | None = None,
    change: Callable[[ManifestDict], object] = lambda manifest: None,
) -> Path:
    """Writes one version of the colour classifier.

    Args:
        root: the repository's folder.
        name: the model's name.
        version: its version.
        model: another ONNX file than the colour classifier's.
        change: may edit the manifest before it is written.

    Returns:
        The folder of the version.
    """
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    model = model or colour_model()
    (folder / "model.fp32.onnx").write_bytes(model)
    inputs = np.random.default_rng(0).integers(
        0, 256, (4, INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8
    )
    np.save(folder / "golden.inputs.npy", inputs)
    np.save(folder / "golden.logits.npy", colour_outputs(inputs, ["logits"])["logits"])
    manifest = colour_manifest(name, version)
    manifest["variants"][0]["sha256"] = hashlib.sha256(model).hexdigest()
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
