"""Which photos of a batch are unlike those that the model was exported with."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.contract.exposure import exposures
from app.contract.manifest import Precision
from app.contract.reject import Reject
from app.selection.served_model import ServedModel


class Rejection:
    """Judges photos by the model's own rule.

    Args:
        reject: the rule.
        precision: of what serves.
        embedding: the name of that output.

    Attributes:
        embedding: see above.
    """

    def __init__(self, reject: Reject, precision: Precision, embedding: str) -> None:
        self._reject = reject
        self._precision: Precision = precision
        self.embedding = embedding

    def rejected(
        self,
        pixels: Sequence[NDArray[np.uint8]],
        outputs: Mapping[str, NDArray[np.float32]],
        best_scores: Sequence[float],
    ) -> Sequence[bool]:
        """Whether each photo of a batch is rejected.

        Args:
            pixels: the network's input, each uint8 [height, width, 3].
            outputs: the embedding among them.
            best_scores: of the best classes.
        """
        contrast = exposures(pixels)[:, -1]
        embeddings = outputs[self.embedding]
        rejected: list[bool] = self._reject.rejected(
            self._precision, embeddings, best_scores, contrast
        ).tolist()
        return rejected


def rejection_of(model: ServedModel) -> Rejection | None:
    """The model's; None if it has none."""
    reject, embedding = model.manifest.reject, model.signature.find("embedding")
    if reject is None or embedding is None:
        return None
    return Rejection(reject, model.variant.precision, embedding.name)
