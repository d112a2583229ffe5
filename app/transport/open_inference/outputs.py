"""What a model answers -> output tensors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import AnswerTooLarge, MalformedRequest, OutputNotAvailable
from app.contract.ranking import softmax
from app.contract.signature import TensorSpec
from app.inference.classification import Classification, ClassifyOptions
from app.selection.served_model import ServedModel
from app.transport.open_inference.inputs import LENGTH_BYTES

SCORES = "scores"
"""The output that is computed from the logits: what `/classify` calls `score`, of every class."""

RAW_BYTES_PER_NUMBER = 4

_SHOWN = 64


@dataclass(frozen=True, slots=True)
class AskedOutput:
    """An output that a request asks for.

    Attributes:
        name: the output's.
        classes: so many of the best classes instead of the tensor; 0 for the tensor.
    """

    name: str
    classes: int = 0


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """An output of an answer.

    Attributes:
        name: the output's.
        values: float32 [batch, ...]; or, of [batch, classes] texts, their rows one after another.
        shape: the whole.
    """

    name: str
    values: NDArray[np.float32] | list[bytes]
    shape: tuple[int, ...]

    @property
    def datatype(self) -> str:
        """In the protocol's words."""
        return "BYTES" if isinstance(self.values, list) else "FP32"

    def raw(self) -> bytes:
        """The tensor as it goes over the wire: numbers and lengths are little-endian."""
        if not isinstance(self.values, list):
            return self.values.astype("<f4", copy=False).tobytes()
        parts = [
            part
            for text in self.values
            for part in (len(text).to_bytes(LENGTH_BYTES, "little"), text)
        ]
        return b"".join(parts)


class AskedOutputs:
    """The outputs of one answer.

    Args:
        model: what answers.
        asked: what the request asks for; nothing stands for all tensors.

    Raises:
        OutputNotAvailable: if the model has no output of that name.
        MalformedRequest: if one is asked for twice, or the best classes of one without classes.
    """

    def __init__(self, model: ServedModel, asked: Sequence[AskedOutput]) -> None:
        self._model = model
        self._specs = {spec.name: spec for spec in model.signature.outputs}
        self._asked = asked or [AskedOutput(name) for name in output_names(model)]
        self._logits = model.signature.logits.name
        for output in self._asked:
            self._check(output)
        if len({output.name for output in self._asked}) < len(self._asked):
            raise MalformedRequest("an output is asked for twice")

    @property
    def options(self) -> ClassifyOptions:
        """What has to be asked of the model."""
        whole = [self._source(output) for output in self._asked if not self._is_ranked(output)]
        most = max((output.classes for output in self._asked), default=0)
        return ClassifyOptions(top_k=max(1, most), outputs=frozenset(whole))

    def check_weight(self, images: int, bytes_per_number: int, limit: int) -> None:
        """Refuses an answer that would be too large.

        Args:
            images: in the request.
            bytes_per_number: what a number takes in the answer.
            limit: in bytes.

        Raises:
            AnswerTooLarge: if the estimate is above the limit.
        """
        label = self._model.manifest.mean_label_bytes
        classes = len(self._model.manifest.labels)
        weight = 0.0
        for output in self._asked:
            if output.classes:
                weight += images * min(output.classes, classes) * (bytes_per_number + label)
            else:
                weight += images * bytes_per_number * math.prod(self._sizes(output))
        if weight > limit:
            raise AnswerTooLarge(
                f"the answer would take about {weight / 2**20:.1f} MiB, at most"
                f" {limit / 2**20:.1f} MiB are given; name the outputs that you need, or send fewer"
                " images"
            )

    def tensors(self, results: Sequence[Classification]) -> list[OutputTensor]:
        """The outputs of an answer, in the order in which they were asked for."""
        return [self._tensor(output, results) for output in self._asked]

    def _check(self, output: AskedOutput) -> None:
        if output.name not in self._specs and output.name != SCORES:
            raise OutputNotAvailable(
                f"{self._model.name}:{self._model.version} has no output"
                f" {output.name[:_SHOWN]!r}, only {', '.join(output_names(self._model))}"
            )
        if output.classes and output.name not in (SCORES, self._logits):
            raise MalformedRequest(
                f"{output.name}: only {SCORES} and {self._logits} can be given as classes"
            )

    def _is_ranked(self, output: AskedOutput) -> bool:
        """Whether the ranked classes are all that is needed."""
        return bool(output.classes) and output.name not in self._specs

    def _source(self, output: AskedOutput) -> str:
        return output.name if output.name in self._specs else self._logits

    def _sizes(self, output: AskedOutput) -> tuple[int, ...]:
        return self._specs[self._source(output)].sizes

    def _tensor(self, output: AskedOutput, results: Sequence[Classification]) -> OutputTensor:
        if self._is_ranked(output):
            rows = [
                [
                    _class(prediction.score, prediction.label.index, prediction.label.name)
                    for prediction in result.predictions[: output.classes]
                ]
                for result in results
            ]
        else:
            name = self._source(output)
            values = np.stack([result.outputs[name] for result in results])
            if not output.classes:
                if output.name not in self._specs:
                    values = np.stack([self._scores(row) for row in values])
                return OutputTensor(output.name, values, values.shape)
            rows = [self._best(row, output.classes) for row in values]
        shape = (len(rows), len(rows[0]))
        return OutputTensor(output.name, [text for row in rows for text in row], shape)

    def _scores(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        calibration = self._model.manifest.calibration
        temperature = calibration.temperature if calibration else 1.0
        return softmax(logits, temperature).astype(np.float32)

    def _best(self, logits: NDArray[np.float32], classes: int) -> list[bytes]:
        labels = self._model.manifest.labels
        best = np.argsort(-logits, kind="stable")[:classes]
        return [_class(float(logits[index]), index, labels[index].name) for index in best]


def output_specs(model: ServedModel) -> list[tuple[str, TensorSpec]]:
    """Every output by its name, with the form that it has."""
    specs = [(spec.name, spec) for spec in model.signature.outputs]
    if SCORES not in dict(specs):
        specs.insert(0, (SCORES, model.signature.logits))
    return specs


def output_names(model: ServedModel) -> list[str]:
    """The names of all outputs."""
    return [name for name, _ in output_specs(model)]


def _class(value: float, index: int, label: str) -> bytes:
    """A class as the classification extension writes it."""
    return f"{value:f}:{index}:{label}".encode()
