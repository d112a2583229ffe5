"""Everything that decides the resulting weights, besides the photos: each option once."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from app.contract.errors import ConfigurationError
from app.contract.manifest import Preprocessing
from senet import networks

Probability = Annotated[float, Field(ge=0, le=1)]
# Below, the networks run out of pixels before their last stage.
Side = Annotated[int, Field(ge=32)]


class TrainingOptions(BaseModel):
    """How to train. A run is continued only with the options that it was started with."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    data: str
    """Folder with train/<class id>/ and val/<class id>/."""
    architecture: str = "se_resnet_mini"
    """Network to train; `python -m senet.table` lists them."""
    epochs: PositiveInt = 60
    """Passes over the training photos."""
    start_from: str | None = None
    """Checkpoint of the same architecture whose weights the training begins with, instead of
    random ones; of one with other classes, all but the last layer."""
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
    learning_rate: PositiveFloat = 2e-3
    """Largest learning rate, of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Weight decay of AdamW; biases, normalisations and SE blocks have none."""
    label_smoothing: Probability = 0.1
    """Share of the target that is spread over all classes."""
    mixing: Probability = 0.6
    """Probability that a thread's share of a batch gets mixup or CutMix."""
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    """Weight of the past, per step, in the moving average of the weights that is served."""
    threads: PositiveInt = 1
    """Threads, each with its share of every batch; changes the batch statistics."""
    bf16: bool = False
    """Compute in bfloat16: about twice as fast where the CPU has AVX512-BF16 or AMX."""
    evaluate_every: PositiveInt = 5
    """Epochs from one evaluation to the next; the last epoch always has one."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos are prepared for evaluation and serving."""
        side = self.evaluation_size
        return Preprocessing(
            geometry="torchvision", resize_shorter_side=side, crop_height=side, crop_width=side
        )


def flag(option: str) -> str:
    """The command-line flag of an option: `batch_size` -> `--batch-size`."""
    return "--" + option.replace("_", "-")


def refuse_contradictions(options: TrainingOptions) -> None:
    """Checks what no single field can.

    Raises:
        ConfigurationError: if the architecture is unknown, or the batch cannot be shared out.
    """
    if options.architecture not in networks.names():
        raise ConfigurationError(
            "--architecture",
            f"{options.architecture!r} is unknown",
            f"choose one of {', '.join(networks.names())}",
        )
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
