"""A signature says all of what goes in and comes out, or it is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.contract.signature import Signature, TensorSpec, of_schema_1
from tests.support.repository import COLOUR_SIGNATURE


def spec(**changes: object) -> dict[str, Any]:
    embedding = {
        "name": "features",
        "shape": ["n", 7],
        "dtype": "float32",
        "meaning": "embedding",
    }
    return embedding | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": []},
        {"shape": ["n"]},
        {"shape": ["n", 7, 7]},
        {"shape": [1, 7]},
        {"shape": [None, 7]},
        {"shape": ["n", "m"]},
        {"shape": ["n", 0]},
        {"shape": ["n", True]},
        {"shape": ["n", 7.0]},
        {"shape": ["n", "7"]},
        {"dtype": "uint8"},
        {"meaning": "logits", "shape": ["n", 7, 1, 1]},
        {"name": ""},
        {"name": "a\n"},
        {"meaning": "excitation", "name": "gates"},
        {"meaning": "excitation", "name": "excitation."},
        {"meaning": "excitation", "name": "excitation.a", "shape": ["n", 7, 1, 1]},
    ],
)
def test_an_output_of_another_form_than_its_meaning_has_is_refused(
    changes: dict[str, object],
) -> None:
    TensorSpec.model_validate(spec())
    with pytest.raises(ValidationError):
        TensorSpec.model_validate(spec(**changes))


def changed(where: str, index: int, **changes: object) -> dict[str, Any]:
    content = COLOUR_SIGNATURE.model_dump(mode="json")
    content[where][index] |= changes
    return content


def added(where: str, entry: dict[str, Any]) -> dict[str, Any]:
    content = COLOUR_SIGNATURE.model_dump(mode="json")
    content[where].append(entry)
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed("inputs", 0, shape=["batch", 8, 8, 4]), "three channels"),
        (changed("outputs", 1, name="logits"), "the same name"),
        (changed("outputs", 1, name="images"), "the same name"),
        (changed("outputs", 1, shape=["n", 3]), "same name for the batch"),
        (changed("outputs", 2, shape=["batch", 63, 8, 8]), "number of classes"),
        (added("outputs", spec(shape=["batch", 7])), "differ in meaning"),
        (added("outputs", COLOUR_SIGNATURE.image.model_dump() | {"name": "x"}), "meaning"),
        (added("inputs", spec(shape=["batch", 7])), "one input"),
        ({"inputs": [], "outputs": COLOUR_SIGNATURE.outputs}, "one input"),
        ({"inputs": COLOUR_SIGNATURE.inputs, "outputs": []}, "one must be logits"),
    ],
)
def test_inputs_and_outputs_that_are_no_classifiers_are_refused(
    content: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        Signature.model_validate(content)


def test_of_excitations_there_may_be_any_number() -> None:
    content = COLOUR_SIGNATURE.model_dump(mode="json")
    for name in ("excitation.layer1.0", "excitation.layer2.0"):
        content["outputs"].append(spec(name=name, shape=["batch", 7], meaning="excitation"))
    signature = Signature.model_validate(content)
    blocks = [output.block for output in signature.find_all("excitation")]
    assert blocks == ["layer1.0", "layer2.0"]
    assert signature.logits.block == ""


def test_what_schema_1_leaves_open_is_completed_by_real_shapes() -> None:
    signature = of_schema_1(8, 8, 64)
    assert not signature.is_complete
    with pytest.raises(ValueError, match="embedding are not known"):
        _ = signature.outputs[1].sizes
    completed = signature.completed(
        {"logits": (2, 64), "embedding": (2, 3), "cam": ("n", 64, 8, 8)}
    )
    assert completed == COLOUR_SIGNATURE
    assert signature.completed({"logits": [], "embedding": [], "cam": []}) == signature


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        (("n", 64, 8, 8), True),
        ((5, 64, 8, 8), True),
        (("n", 64, None, "height"), True),
        (("n", 64, 8, 7), False),
        (("n", 64, 8), False),
        ((), False),
    ],
)
def test_a_real_shape_fits_where_both_are_known(shape: tuple[object, ...], fits: bool) -> None:
    assert COLOUR_SIGNATURE.outputs[2].fits(shape) is fits
