"""The colour classifier with what is fitted to photos."""

import math

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
