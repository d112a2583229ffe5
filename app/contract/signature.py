"""What goes into a model and what comes out of it, as its manifest says it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.contract.strict import Strict

Meaning = Literal["image", "logits", "embedding", "class_activation_map", "excitation"]
"""`image`: the pixels [batch, height, width, 3]. `logits` [batch, classes]. `embedding` [batch,
dim]: the pooled features before the classifier. `class_activation_map` [batch, classes, h, w]: the
classifier's weights applied to the last feature map (Zhou et al. 2016, equation 2). `excitation`
[batch, channels]: the gates of one SE block (Hu et al., equation 3), each between 0 and 1."""
Kind = Literal["uint8", "float32"]
Include = Literal["embedding", "cam", "excitations"]
"""What a request may ask for beyond the classes."""

BATCH = "batch"
NAMES: Mapping[Meaning, str] = MappingProxyType(
    {
        "image": "images",
        "logits": "logits",
        "embedding": "embedding",
        "class_activation_map": "cam",
    }
)
"""The names that exports give; in files of schema 1 there are no others."""
EXCITATION = "excitation."
"""What the names of excitations begin with; the block's follows."""
INCLUDED: Mapping[Include, Meaning] = MappingProxyType(
    {"embedding": "embedding", "cam": "class_activation_map", "excitations": "excitation"}
)
_FORMS: Mapping[Meaning, tuple[Kind, int]] = MappingProxyType(
    {
        "image": ("uint8", 4),
        "logits": ("float32", 2),
        "embedding": ("float32", 2),
        "class_activation_map": ("float32", 4),
        "excitation": ("float32", 2),
    }
)
_CHANNELS = 3

TensorName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./:-]{0,127}$")]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,31}$")]
Size = Annotated[int, Field(gt=0, strict=True)]


class TensorSpec(Strict):
    """One input or output."""

    name: TensorName
    shape: tuple[Symbol | Size | None, ...]
    """First the batch, by a name; then sizes. None: not known, in files of schema 1 alone."""
    dtype: Kind
    meaning: Meaning

    @model_validator(mode="after")
    def _has_the_form_of_its_meaning(self) -> Self:
        dtype, rank = _FORMS[self.meaning]
        batch, *sizes = self.shape or (None,)
        if (
            self.dtype != dtype
            or len(self.shape) != rank
            or not isinstance(batch, str)
            or any(isinstance(size, str) for size in sizes)
        ):
            raise ValueError(
                f"{self.name}: {self.meaning} must be {dtype} of {rank} dimensions, first the batch"
                " by a name, then sizes"
            )
        if self.meaning == "excitation" and not (self.name.startswith(EXCITATION) and self.block):
            raise ValueError(f"{self.name}: an excitation must be called {EXCITATION}<block>")
        return self

    def __str__(self) -> str:
        return describe(self.dtype, self.shape)

    @property
    def block(self) -> str:
        """The block whose gates an excitation is; empty for other outputs."""
        return self.name.removeprefix(EXCITATION) if self.meaning == "excitation" else ""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape of one image's part.

        Raises:
            ValueError: if not all of it is known.
        """
        known = tuple(size for size in self.shape[1:] if isinstance(size, int))
        if len(known) != len(self.shape) - 1:
            raise ValueError(f"the sizes of {self.name} are not known")
        return known

    def fits(self, shape: Sequence[object]) -> bool:
        """Whether a real shape, in which what is not a number is open, can be this one."""
        return len(shape) == len(self.shape) and not any(
            isinstance(own, int) and isinstance(real, int) and own != real
            for own, real in zip(self.shape, shape, strict=True)
        )

    def completed(self, shape: Sequence[object]) -> "TensorSpec":
        """This, with the sizes that are not known taken from a real shape that fits."""
        if len(shape) != len(self.shape):
            return self
        sizes = [
            real if own is None and isinstance(real, int) else own
            for own, real in zip(self.shape, shape, strict=True)
        ]
        return self.model_copy(update={"shape": tuple(sizes)})


class Signature(Strict):
    """The inputs and outputs of a model's files."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @model_validator(mode="after")
    def _is_a_classifiers(self) -> Self:
        if [spec.meaning for spec in self.inputs] != ["image"]:
            raise ValueError("there must be one input, an image")
        if self.image.shape[-1] != _CHANNELS:
            raise ValueError("an image must have three channels, the last dimension")
        meanings = [spec.meaning for spec in self.outputs if spec.meaning != "excitation"]
        if "image" in meanings or len(set(meanings)) != len(meanings) or "logits" not in meanings:
            raise ValueError(
                "outputs other than excitations must differ in meaning, and one must be logits"
            )
        specs = (*self.inputs, *self.outputs)
        if len({spec.name for spec in specs}) != len(specs):
            raise ValueError("two inputs or outputs have the same name")
        if len({spec.shape[0] for spec in specs}) != 1:
            raise ValueError("inputs and outputs must use the same name for the batch dimension")
        maps = self.find("class_activation_map")
        if maps is not None and maps.shape[1] != self.logits.shape[1]:
            raise ValueError("logits and class_activation_map differ in their number of classes")
        return self

    @property
    def image(self) -> TensorSpec:
        """The input."""
        return self.inputs[0]

    @cached_property
    def logits(self) -> TensorSpec:
        """The output that every model has."""
        return next(spec for spec in self.outputs if spec.meaning == "logits")

    @property
    def is_complete(self) -> bool:
        """Whether every size is known."""
        return all(None not in spec.shape for spec in (*self.inputs, *self.outputs))

    def find(self, meaning: Meaning) -> TensorSpec | None:
        """The output of that meaning; None if there is none."""
        return next(iter(self.find_all(meaning)), None)

    def find_all(self, meaning: Meaning) -> tuple[TensorSpec, ...]:
        """The outputs of that meaning: any number of excitations, at most one of another."""
        return tuple(spec for spec in self.outputs if spec.meaning == meaning)

    def completed(self, shapes: Mapping[str, Sequence[object]]) -> "Signature":
        """This, with the sizes that are not known taken from the outputs' real shapes."""
        outputs = tuple(spec.completed(shapes[spec.name]) for spec in self.outputs)
        return Signature(inputs=self.inputs, outputs=outputs)


def of_schema_1(height: int, width: int, classes: int) -> Signature:
    """What files of schema 1 have, and their manifests don't say; some sizes stand in the files.

    Args:
        height: of the images, in pixels.
        width: of the images, in pixels.
        classes: how many there are.
    """

    def spec(meaning: Meaning, *sizes: int | None) -> TensorSpec:
        dtype, _ = _FORMS[meaning]
        return TensorSpec(name=NAMES[meaning], shape=(BATCH, *sizes), dtype=dtype, meaning=meaning)

    return Signature(
        inputs=(spec("image", height, width, _CHANNELS),),
        outputs=(
            spec("logits", classes),
            spec("embedding", None),
            spec("class_activation_map", classes, None, None),
        ),
    )


def describe(dtype: str, shape: Sequence[object]) -> str:
    """Type and shape in words, such as `float32 [batch, 10]`."""
    sizes = ("?" if size is None else str(size) for size in shape)
    return f"{dtype} [{', '.join(sizes)}]"
