"""What is told of drift."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.contract.reference import WINDOWS, Signal
from app.inference.drift import Drift
from app.inference.host import ModelHost
from app.inference.table import ModelTable
from app.transport.http.schemas import (
    DriftBody,
    ReferenceBody,
    SignalDriftBody,
    VersionDriftBody,
)

_DIGITS = 4


def drift_body(
    table: ModelTable,
    name: str,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DriftBody:
    """One model's.

    Args:
        table: the models that are served.
        name: the model's.
        clock: monotonic time in seconds, by which it is known for how long.
        now: the time of day that this is told in; it may have been set meanwhile.

    Raises:
        ModelNotFound: if it is not served.
    """
    table.find(name, None)

    def told(elapsed_from: float) -> str:
        return (now() - timedelta(seconds=clock() - elapsed_from)).isoformat(timespec="seconds")

    hosts = table.routes[name].versions.values()
    return DriftBody(name=name, versions=[_version(host, told) for host in hosts])


def _version(host: ModelHost, told: Callable[[float], str]) -> VersionDriftBody:
    model, drift = host.model, host.drift
    reference = model.manifest.reference
    body = VersionDriftBody(
        version=model.version,
        precision=model.variant.precision,
        reference=None,
        images=0,
        signals=[],
    )
    if drift is None or reference is None:
        body["detail"] = (
            f"{model.name}:{model.version} has no reference to compare images with; it is made"
            " when a model is exported with --calibrate, or afterwards by scripts.fit_trust"
        )
        return body
    body["reference"] = ReferenceBody(dataset=reference.dataset, images=reference.images)
    body["images"] = drift.seen_images
    body["signals"] = [
        _signal(drift, signal, window, told) for window in WINDOWS for signal in drift.signals
    ]
    return body


def _signal(
    drift: Drift, signal: Signal, window: int, told: Callable[[float], str]
) -> SignalDriftBody:
    found = drift.difference(signal, window)
    if found is None:
        return SignalDriftBody(
            signal=signal,
            window=window,
            value=None,
            threshold=None,
            images=0,
            exceeded=False,
            since=None,
        )
    return SignalDriftBody(
        signal=signal,
        window=window,
        value=round(found.value, _DIGITS),
        threshold=round(found.threshold, _DIGITS),
        images=found.photos,
        exceeded=found.since is not None,
        since=None if found.since is None else told(found.since),
    )
