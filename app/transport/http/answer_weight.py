"""Whether an answer can be given and how much it will weigh, told before anything is computed.

Maps of every class of a large model fill megabytes an image, and while they are written as JSON
nobody else is served.
"""

import math

from app.contract.errors import AnswerTooLarge
from app.inference.classification import ClassifyOptions
from app.selection.served_model import ServedModel

# Measured: a float32 takes 19 to 22 bytes as JSON, comma included.
_NUMBER_BYTES = 20
# Names of fields, braces, rank, class_index and score.
_PREDICTION_BYTES = 70


def check_weight(model: ServedModel, options: ClassifyOptions, images: int, limit: int) -> None:
    """Refuses an answer that the model cannot give, or that would be too large.

    Args:
        model: what answers.
        options: what is asked for.
        images: of how many images.
        limit: in bytes.

    Raises:
        OutputNotAvailable: if the model lacks an output that is to be included, or has no sets.
        InvalidParameter: if it has none of the coverage.
        AnswerTooLarge: if the estimate is above the limit.
    """
    weight = answer_bytes(model, options, images)
    if weight > limit:
        raise AnswerTooLarge(
            f"the answer would take about {weight / 2**20:.1f} MiB, at most"
            f" {limit / 2**20:.1f} MiB are given; ask for less: fewer images, a smaller top_k, a"
            " higher min_score, or nothing beyond the classes"
        )


def answer_bytes(model: ServedModel, options: ClassifyOptions, images: int) -> int:
    """About how many bytes the answer takes as JSON; near to it where that matters, in megabytes.

    Args:
        model: what answers.
        options: what is asked for.
        images: of how many images.

    Raises:
        OutputNotAvailable: if the model lacks an output that is to be included, or has no sets.
        InvalidParameter: if it has none of the coverage.
    """
    included = {
        asked: sum(math.prod(spec.sizes) for spec in model.included(asked))
        for asked in options.include
    }
    classes = len(model.manifest.labels)
    prediction = _PREDICTION_BYTES + model.manifest.mean_label_bytes
    prediction += _NUMBER_BYTES * included.get("cam", 0) / classes
    answered = min(options.top_k, classes)
    if answered * options.min_score > 1:
        answered = int(1 / options.min_score)  # for all scores sum to 1
    if options.coverage is not None:
        model.set_rule(options.coverage)
        answered += classes  # as many as that may be in the set
    others = included.get("embedding", 0) + included.get("excitations", 0)
    image = prediction * answered + _NUMBER_BYTES * others
    return round(image * images)
