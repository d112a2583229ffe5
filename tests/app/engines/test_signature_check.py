"""A file whose real inputs and outputs are not the ones it should have is refused."""

from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from app.contract.errors import ConfigurationError
from app.contract.signature import Signature, of_schema_1
from app.engines.signature_check import check_signature
from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.repository import COLOUR_SIGNATURE, colour_model
from tests.support.signatures import with_names, without_output

FILE = Path("models/colours/1/model.fp32.onnx")


def check(model: bytes, signature: Signature = COLOUR_SIGNATURE) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    check_signature(session, signature, FILE)


def changed(outputs: dict[str, list[object]] | None = None, **names: str) -> Signature:
    """The colour classifier's signature with other shapes of outputs, or names."""
    content = COLOUR_SIGNATURE.model_dump(mode="json")
    for spec in (*content["inputs"], *content["outputs"]):
        spec["shape"] = (outputs or {}).get(spec["name"], spec["shape"])
        spec["name"] = names.get(spec["name"], spec["name"])
    return Signature.model_validate(content)


def declared(name: str, kind: int, shape: list[int | str | None] | None) -> bytes:
    """The colour classifier, whose file says something else about one of its outputs."""
    model = onnx.load_from_string(colour_model())
    [output] = [output for output in model.graph.output if output.name == name]
    output.CopyFrom(helper.make_tensor_value_info(name, kind, shape))
    content: bytes = model.SerializeToString()
    return content


def fixed_batch() -> bytes:
    model = onnx.load_from_string(colour_model())
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    content: bytes = model.SerializeToString()
    return content


def half() -> bytes:
    """The colour classifier with logits in half precision."""
    model = onnx.load_from_string(colour_model())
    for node in model.graph.node:
        node.output[:] = ["full" if name == "logits" else name for name in node.output]
    model.graph.node.append(helper.make_node("Cast", ["full"], ["logits"], to=TensorProto.FLOAT16))
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("logits", TensorProto.FLOAT16, ["batch", len(COLOURS)])
    )
    content: bytes = model.SerializeToString()
    return content


def test_a_file_with_its_signature_passes() -> None:
    check(colour_model())
    check(colour_model(), of_schema_1(INPUT_SIDE, INPUT_SIDE, len(COLOURS)))
    check(with_names({"images": "picture", "cam": "maps"}), changed(images="picture", cam="maps"))


@pytest.mark.parametrize("shape", [["n", len(COLOURS), None, "w"]])
def test_a_size_that_the_file_leaves_open_is_left_to_the_self_test(
    shape: list[int | str | None],
) -> None:
    check(declared("cam", TensorProto.FLOAT, shape))


@pytest.mark.parametrize(
    ("model", "signature", "difference"),
    [
        (without_output("cam"), COLOUR_SIGNATURE, "it has no output cam"),
        (with_names({"images": "picture"}), COLOUR_SIGNATURE, "it has no input images"),
        (with_names({"logits": "scores"}), COLOUR_SIGNATURE, "it has no output logits"),
        (
            colour_model(),
            Signature(inputs=COLOUR_SIGNATURE.inputs, outputs=COLOUR_SIGNATURE.outputs[:2]),
            "it has the output cam, which is not in it",
        ),
        (
            colour_model(),
            changed({"embedding": ["batch", 4]}),
            "its output embedding is float32 [batch, 3], not float32 [batch, 4]",
        ),
        (
            colour_model(),
            changed({"images": ["batch", 8, 9, 3]}),
            "its input images is uint8 [batch, 8, 8, 3], not uint8 [batch, 8, 9, 3]",
        ),
        (fixed_batch(), COLOUR_SIGNATURE, "its input images is uint8 [4, 8, 8, 3]"),
        (half(), COLOUR_SIGNATURE, "its output logits is tensor(float16) [batch, 64]"),
        (
            colour_model(),
            of_schema_1(INPUT_SIDE, INPUT_SIDE, 10),
            "its output logits is float32 [batch, 64], not float32 [batch, 10]",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_difference_is_named(model: bytes, signature: Signature, difference: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check(model, signature)
    assert raised.value.option == "model_repository"
    assert str(FILE) in raised.value.cause
    assert difference in raised.value.cause
    assert "export" in raised.value.remedy
