"""What the doctor tells of one thing."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what.
        verdict: "warning" works but not as well as it could; "fault" keeps the service from
            starting.
        detail: what was found, and with a warning or fault what to do.
    """

    subject: str
    verdict: Verdict
    detail: str
