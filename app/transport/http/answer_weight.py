"""How much an answer will weigh, told before anything is computed for it.

Maps of every class of a large model fill megabytes an image, and while they are written as JSON
nobody else is served.
"""

from app.contract.errors import AnswerTooLarge, InvalidParameter
from app.inference.classification import ClassifyOptions
from app.selection.served_model import ServedModel

# Measured: a float32 takes 19 to 22 bytes as JSON, comma included.
_NUMBER_BYTES = 20
# Names of fields, braces, rank, class_index and score.
_PREDICTION_BYTES = 70


def check_weight(model: ServedModel, options: ClassifyOptions, images: int, limit: int) -> None:
    """Refuses an answer that would be too large.

    Args:
        model: what answers.
        options: what is asked for.
        images: of how many images.
        limit: in bytes.

    Raises:
        InvalidParameter: if the model has not all outputs that are asked for.
        AnswerTooLarge: if the estimate is above the limit.
    """
    if missing := sorted(options.include - model.output_sizes.keys()):
        raise InvalidParameter(f"include: {model.name} gives no {missing[0]}")
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
    """
    classes = len(model.manifest.labels)
    prediction = _PREDICTION_BYTES + model.manifest.mean_label_bytes
    if "cam" in options.include:
        prediction += _NUMBER_BYTES * model.output_sizes["cam"] / classes
    answered = min(options.top_k, classes)
    if answered * options.min_score > 1:
        answered = int(1 / options.min_score)  # for all scores sum to 1
    image = prediction * answered
    if "embedding" in options.include:
        image += _NUMBER_BYTES * model.output_sizes["embedding"]
    return round(image * images)
