from pathlib import Path

import numpy as np

from app.contract.manifest import Label
from senet.evaluation import Evaluation
from senet.training.confusion import Confusion

LABELS = tuple(Label(index=i, id=name, name=name) for i, name in enumerate(("cat", "dog|x", "<a>")))


def confusion() -> Confusion:
    """Four cats, of which one is taken for a dog; two dogs, both right; no photo of the third."""
    answers = np.array([0, 0, 0, 1, 1, 1])
    targets = np.array([0, 0, 0, 0, 1, 1])
    logits = np.eye(3, dtype=np.float32)[answers]
    return Confusion.of(Evaluation((Path("photo"),) * 6, targets, logits), LABELS)


def test_each_class_has_its_recall_precision_and_worst_error() -> None:
    lines = confusion().table()[2:]
    assert lines == [
        "| cat | 4 | 75.0% | 100.0% | dog\\|x (1) |",
        "| dog\\|x | 2 | 100.0% | 66.7% |  |",
    ]


def test_the_matrix_has_true_classes_in_its_rows() -> None:
    assert confusion().matrix()[2] == "| cat | 3 | 1 | 0 |"


def test_the_picture_escapes_names() -> None:
    picture = confusion().picture()
    assert "&lt;a&gt;" in picture
    assert "cat as dog|x: 1" in picture
