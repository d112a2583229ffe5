"""The recorder that the settings ask for."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from app.remote.store import Store, open_store
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.record_files import FolderSink, record_name
from app.telemetry.records import Recorder

# Each write to a store is a file.
_STORE_GATHER_SECONDS = 60.0


class StoreSink:
    """Writes lines to new files of a store, which cannot grow; see `Sink`.

    Args:
        store: where.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._number = 0

    def write(self, pieces: Iterable[bytes]) -> None:
        """Writes a file.

        Raises:
            OSError: if there is no space for it here.
            ConfigurationError: if the store does not take it.
        """
        self._number += 1
        with tempfile.TemporaryDirectory(prefix="senet-records-") as folder:
            file = Path(folder) / "records.jsonl"
            with file.open("wb") as opened:
                opened.writelines(pieces)
            self._store.write(file, record_name(self._number))


def open_recorder(settings: Settings, metrics: Metrics) -> Recorder | None:
    """Begins to record; None if the settings do not ask for it.

    Raises:
        ConfigurationError: if the folder cannot be written to.
    """
    place, share, images = settings.records_uri, settings.records_share, settings.records_images
    if place is None:
        return None
    if not isinstance(place, str):
        return Recorder(share, FolderSink(place), metrics, with_images=images)
    return Recorder(
        share,
        StoreSink(open_store(place)),
        metrics,
        with_images=images,
        gather_seconds=_STORE_GATHER_SECONDS,
    )
