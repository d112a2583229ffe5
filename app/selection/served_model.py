"""The model version that serves, and how."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.contract.manifest import Manifest, Variant
from app.engines.engine import Layout, Output, Provider
from app.selection.candidates import ChosenBy


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model version that a classifier serves, and how.

    Attributes:
        manifest: of the model.
        variant: the ONNX file that runs.
        provider: what runs it.
        layout: how runs share the cores.
        max_batch_size: most images in one of its batches.
        chosen_by: why this engine serves.
        output_sizes: how many numbers each output has for one image.
    """

    manifest: Manifest
    variant: Variant
    provider: Provider
    layout: Layout
    max_batch_size: int
    chosen_by: ChosenBy
    output_sizes: Mapping[Output, int]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The model's version, as it stands in answers."""
        return str(self.manifest.version)

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the ONNX file."""
        return f"sha256:{self.variant.sha256}"
