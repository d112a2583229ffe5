"""Everything that decides the resulting weights, besides the photos: each option once."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt

from app.contract.errors import ConfigurationError
from app.contract.manifest import Preprocessing
from senet import networks
from senet.sources.architecture import TIMM_PREFIX

Probability = Annotated[float, Field(ge=0, le=1)]
# Below, the networks run out of pixels before their last stage.
Side = Annotated[int, Field(ge=32)]


def _parted(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


_Unit = Annotated[float, Field(ge=0, le=1)]
Channels = Annotated[tuple[_Unit, _Unit, _Unit], BeforeValidator(_parted)]


class TrainingOptions(BaseModel):
    """How to train. A run is continued only with the options that it was started with."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    data: str
    """Folder with train/<class id>/ and val/<class id>/."""
    architecture: str = "se_resnet_mini"
    """Network to train; `python -m senet.table` lists them. `timm/NAME` is one of the timm library,
    which has an environment of its own."""
    epochs: PositiveInt = 60
    """Passes over the training photos."""
    start_from: str | None = None
    """Weights of the same architecture that the training begins with, instead of random ones: a
    checkpoint, a file of published weights, or a folder of the Hugging Face hub. Of a file with
    other classes, or without names for them, all but the last layer."""
    head_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs at the beginning in which only the last layer learns; for fine-tuning."""
    head_learning_rate: PositiveFloat = 2e-3
    """Learning rate of those epochs."""
    frozen_statistics: bool = False
    """Keep the mean and variance of every normalisation as they are in `start_from`: for small
    batches, and for weights whose normalisations were folded into their convolutions."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides the initial weights, the order of the photos and the augmentation."""
    size: Side = 128
    """Side of the training crops in the last epochs, in pixels."""
    evaluation_size: Side = 160
    """Side of the network's input in evaluation and serving, in pixels. Objects look larger in
    random crops than in whole photos; 5/4 of `size` makes up for it (Touvron et al. 2019,
    "Fixing the train-test resolution discrepancy")."""
    batch_size: PositiveInt = 64
    """Photos for each optimiser step, over all threads."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """adamw, or sgd with Nesterov's momentum for all but the SE blocks, which stay with AdamW. With
    sgd, --learning-rate 0.1 and --weight-decay 0.0005 suit a batch of 64."""
    learning_rate: PositiveFloat = 2e-3
    """Largest learning rate."""
    gate_learning_rate: PositiveFloat = 2e-3
    """Largest learning rate of the SE blocks where `optimizer` is sgd."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Weight decay; biases, normalisations and SE blocks have none."""
    label_smoothing: Probability = 0.1
    """Share of the target that is spread over all classes."""
    distortion: Probability = 0.0
    """Probability that a photo is sheared, moved, turned, or changed in its colours or sharpness,
    one of them at a random strength."""
    mixing: Probability = 0.6
    """Probability that a thread's share of a batch gets mixup or CutMix."""
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    """Weight of the past, per step, in the moving average of the weights that is served."""
    threads: PositiveInt = 1
    """Threads, each with its share of every batch; on the CPU that changes the batch statistics."""
    bf16: bool = False
    """Compute in bfloat16: about twice as fast where the CPU has AVX512-BF16 or AMX. A card
    computes in mixed precision in any case."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to compute: cuda is an NVIDIA card, in bfloat16 if it has that, else in float16 with a
    scaled loss; `threads` then prepare its photos."""
    evaluate_every: PositiveInt = 5
    """Epochs from one evaluation to the next; the last epoch always has one."""
    patience: PositiveInt | None = None
    """Evaluations without a better top-1 after which the training stops early."""
    class_weights: bool = False
    """Weigh the loss of each class by the inverse of its share of the photos."""
    mean: Channels = (0.485, 0.456, 0.406)
    """Mean of red, green and blue that is subtracted, in units of 0..1."""
    std: Channels = (0.229, 0.224, 0.225)
    """Standard deviation that is divided by, in units of 0..1."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos are prepared for evaluation and serving."""
        side = self.evaluation_size
        return Preprocessing(
            geometry="torchvision",
            resize_shorter_side=side,
            crop_height=side,
            crop_width=side,
            mean=self.mean,
            std=self.std,
        )


def flag(option: str) -> str:
    """The command-line flag of an option: `batch_size` -> `--batch-size`."""
    return "--" + option.replace("_", "-")


def refuse_contradictions(options: TrainingOptions) -> None:
    """Checks what no single field can.

    Raises:
        ConfigurationError: if the architecture is unknown, or the batch cannot be shared out.
    """
    timm = options.architecture.startswith(TIMM_PREFIX)
    if not timm and options.architecture not in networks.names():
        raise ConfigurationError(
            "--architecture",
            f"{options.architecture!r} is unknown",
            f"choose one of {', '.join(networks.names())}, or {TIMM_PREFIX}NAME",
        )
    if options.head_epochs >= options.epochs:
        raise ConfigurationError(
            "--head-epochs",
            f"{options.head_epochs} of {options.epochs} epochs leave none for the other layers",
            "give fewer",
        )
    if options.head_epochs and options.start_from is None:
        raise ConfigurationError(
            "--head-epochs", "the other layers would stay random", "give --start-from, or leave out"
        )
    if options.frozen_statistics and options.start_from is None:
        raise ConfigurationError(
            "--frozen-statistics", "random weights have none", "give --start-from, or leave out"
        )
    if min(options.std) == 0:
        raise ConfigurationError("--std", "0 is divided by", "give the deviations of the training")
    if options.batch_size % options.threads:
        raise ConfigurationError(
            "--batch-size",
            f"{options.batch_size} photos cannot be shared evenly by {options.threads} threads",
            "give a multiple of --threads",
        )
    if options.batch_size < 2 * options.threads:
        raise ConfigurationError(
            "--batch-size",
            "leaves each thread one photo, and batch normalisation needs two",
            "give at least twice --threads",
        )
