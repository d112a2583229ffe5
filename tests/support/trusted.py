"""The colour classifier with what is fitted to photos."""

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
