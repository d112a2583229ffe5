"""The colour classifier with what is fitted to photos."""

import math
from functools import cache

import numpy as np

from app.contract.reference import Reference
from senet.export.live_reference import figures, signal_references
from tests.support.colours import COLOURS
from tests.support.repository import ManifestDict

LEVELS = [0.5, 0.9, 0.95]
THRESHOLDS = [0.0, 0.5, 0.999]
"""By 1 - score: at 0.5 nothing is in a set that is not certain."""


def with_sets(manifest: ManifestDict, **rule: object) -> None:
    """Adds prediction sets, of LAC unless the rule says otherwise."""
    manifest["sets"] = {
        "dataset": "drawn colours, 100 photos",
        "images": 100,
        "levels": LEVELS,
        "rules": {"fp32": {"method": "lac", "thresholds": THRESHOLDS} | rule},
    }


def with_reject(manifest: ManifestDict, **changed: object) -> None:
    """Rejects photos whose mean colour is far from the ninth one's, or that have no contrast."""
    manifest["reject"] = {
        "dataset": "drawn colours, 100 photos",
        "images": 100,
        "rate": 0.05,
        "mean": [level / 255 for level in COLOURS[9]],
        "directions": [],
        "least_contrast": 0.0,
        "rules": {
            "fp32": {
                "distance_mean": 0.0,
                "distance_spread": 1.0,
                "doubt_mean": 0.0,
                "doubt_spread": 1e6,
                "threshold": math.log(0.01),
            }
        },
    } | changed


@cache
def drawn_reference(classes: int) -> Reference:
    """The reference of 2,000 photos drawn from the first classes, all alike often."""
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, classes, 2000)
    colours = np.array(COLOURS, np.float64)[drawn]
    shade = generator.normal(0, 1, (2000, 1))
    contrast = np.sqrt(colours.var(axis=1) + 1)
    signals = signal_references(
        figures(
            scores=np.eye(len(COLOURS))[drawn],
            crops=np.full(2000, 40.0),
            exposures=np.column_stack([colours + shade, contrast]),
            embeddings=((colours + shade) / 255).astype(np.float32),
            gates=None,
        )
    )
    return Reference(
        dataset="drawn colours, 2000 photos",
        images=2000,
        expected_score={"fp32": 1.0},
        signals={"fp32": signals},
    )


def with_reference(manifest: ManifestDict, classes: int = len(COLOURS)) -> None:
    """Adds that reference."""
    manifest["reference"] = drawn_reference(classes).model_dump(mode="json")
