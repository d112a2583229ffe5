"""What the person who exports says about the network's source."""

from dataclasses import dataclass, field
from pathlib import Path

from app.contract.manifest import Geometry, Interpolation


@dataclass(frozen=True)
class PreprocessingOptions:
    """Preprocessing given by flags; None leaves what the source itself says.

    Attributes are those of `app.contract.manifest.Preprocessing`.
    """

    geometry: Geometry | None = None
    resize_shorter_side: int | None = None
    crop_height: int | None = None
    crop_width: int | None = None
    interpolation: Interpolation | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    scaled_decoding: bool | None = None


@dataclass(frozen=True)
class SourceOptions:
    """Where the network comes from. Exactly one of these combinations:

    - `checkpoint`: a checkpoint of this project's own training;
    - `architecture` and `checkpoint`: weights of a published SENet, in our parameter names;
    - `timm` and `pretrained`, or `timm` and `checkpoint`: a network of the timm library;
    - `module` and `checkpoint`: a network of the user's own;
    - `program`: an exported program;
    - `onnx`: an ONNX file that another tool exported;
    - `hub`: a network of timm on the Hugging Face hub; `checkpoint` may be a folder of one.

    Attributes:
        checkpoint: file with the weights.
        architecture: a name that `senet.networks.build` knows.
        timm: a model's name in timm, such as `legacy_senet154.in1k`.
        pretrained: whether timm downloads the weights that it publishes under that name.
        test_size: whether to take the input size that timm states for tests, where it differs
            from that of the training.
        module: `package.module:factory`; the factory, called without arguments, gives the
            network.
        program: a `.pt2` file that `torch.export.save` wrote.
        onnx: an ONNX file, float32 [batch, 3, height, width] in and logits out.
        hub: `organisation/name` on the hub, or a folder of one.
        labels: text file, one class a line, or JSON; see `senet.sources.label_formats`.
        preprocessing: what the flags say about it.
        licence: the weights' licence, where the source doesn't state one.
    """

    checkpoint: Path | None = None
    architecture: str | None = None
    timm: str | None = None
    pretrained: bool = False
    test_size: bool = False
    module: str | None = None
    program: Path | None = None
    onnx: Path | None = None
    hub: str | None = None
    labels: Path | None = None
    preprocessing: PreprocessingOptions = field(default_factory=PreprocessingOptions)
    licence: str | None = None

    @property
    def names_weights(self) -> bool:
        """Whether anything names weights that need their network, or the network of some."""
        named = (self.checkpoint, self.architecture, self.timm, self.module)
        return self.pretrained or any(value is not None for value in named)
