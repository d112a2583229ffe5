"""A file's real inputs and outputs must be those of its manifest's signature."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import onnxruntime

from app.contract.errors import ConfigurationError
from app.contract.signature import Signature, TensorSpec, describe

# How ONNX Runtime calls the types that a signature knows.
_TYPES: Mapping[str, str] = MappingProxyType({"tensor(uint8)": "uint8", "tensor(float)": "float32"})


def check_signature(
    session: onnxruntime.InferenceSession, signature: Signature, model_file: Path
) -> None:
    """Refuses a file that has other inputs and outputs than it should, before anything is run.

    A size that the file leaves open is left to the self-test.

    Args:
        session: the opened file.
        signature: the manifest's.
        model_file: for the error.

    Raises:
        ConfigurationError: naming the first input or output that differs.
    """
    found = _mismatch("input", signature.inputs, session.get_inputs()) or _mismatch(
        "output", signature.outputs, session.get_outputs()
    )
    if found:
        raise ConfigurationError(
            "model_repository",
            f"{model_file} is not what its manifest's signature says: {found}",
            "export the model again, or correct the signature",
        )


def _mismatch(
    what: str, specs: Sequence[TensorSpec], real: Sequence[onnxruntime.NodeArg]
) -> str | None:
    by_name = {node.name: node for node in real}
    for spec in specs:
        node = by_name.pop(spec.name, None)
        if node is None:
            return f"it has no {what} {spec.name}"
        if not _is(spec, node):
            kind = describe(_TYPES.get(node.type, node.type), node.shape)
            return f"its {what} {spec.name} is {kind}, not {spec}"
    if by_name:
        return f"it has the {what} {min(by_name)}, which is not in it"
    return None


def _is(spec: TensorSpec, node: onnxruntime.NodeArg) -> bool:
    if _TYPES.get(node.type) != spec.dtype:
        return False
    # ONNX Runtime tells an unknown shape as one of no dimensions.
    return not node.shape or (spec.fits(node.shape) and not isinstance(node.shape[0], int))
