"""Samples of what was asked and answered, as JSON lines, for audits and retraining.

Whoever answers only puts a record into a queue. A thread makes lines of them and writes; where it
does not keep up, records are dropped and counted.
"""

import base64
import hashlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass

import orjson

from app.telemetry.metrics import Metrics
from app.telemetry.record_files import Sink

logger = logging.getLogger(__name__)

_MOST_RECORDS = 1_000
MOST_RECORDED_BYTES = 64 * 2**20
"""What records take of memory at most until they are written."""
# What one takes beside its image: without predictions, and for each of them.
_BYTES_PER_RECORD = 2_000
_BYTES_PER_PREDICTION = 250
# A multiple of three: base64 of pieces is then that of the whole.
_PIECE = 3 * 2**16
_COMPLAINT_SECONDS = 60.0
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """One image.

    Attributes:
        content: what is told of it, as JSON has it.
        image: its encoded bytes, of which the digest is told.
    """

    content: Mapping[str, object]
    image: bytes

    @property
    def size(self) -> int:
        """The memory that it takes, in bytes."""
        predictions = self.content.get("predictions", ())
        classes = self.content.get("prediction_set", ())
        count = sum(len(own) for own in (predictions, classes) if isinstance(own, Sized))
        return len(self.image) + _BYTES_PER_RECORD + _BYTES_PER_PREDICTION * count


class Recorder:
    """Hands records to a thread, which writes them.

    Args:
        share: of the requests that are recorded.
        sink: takes the lines.
        metrics: count the records by outcome.
        with_images: whether images are recorded, or their digests alone.
        gather_seconds: lines that come within this time are written together.
        draw: gives values from 0 up to 1 with equal chances.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        share: float,
        sink: Sink,
        metrics: Metrics,
        *,
        with_images: bool = False,
        gather_seconds: float = 1.0,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._sink = sink
        self._count = metrics.records.labels
        self._with_images = with_images
        self._gather_seconds = gather_seconds
        self._draw = draw
        self._clock = clock
        self._complained: float | None = None
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        # A daemon: a store that hangs must not keep the process.
        self._thread = threading.Thread(target=self._work, name="records", daemon=True)
        self._thread.start()

    def wants(self) -> bool:
        """Whether the next request is recorded."""
        return self._draw() < self._share

    def put(self, records: Sequence[Record]) -> None:
        """Takes a request's records, or drops them; never waits."""
        size = sum(record.size for record in records)
        with self._lock:
            fits = (
                len(self._records) + len(records) <= _MOST_RECORDS
                and self._bytes + size <= MOST_RECORDED_BYTES
                and not self._ending.is_set()
            )
            if fits:
                self._records.extend(records)
                self._bytes += size
        if not fits:
            self._count("dropped").inc(len(records))

    def close(self) -> None:
        """Writes what is left, for up to five seconds."""
        self._ending.set()
        self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        while not self._ending.wait(self._gather_seconds):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            records = list(self._records)
            self._records.clear()
        if not records:
            return
        try:
            self._sink.write(piece for record in records for piece in self._line(record))
        except Exception as error:  # noqa: BLE001 - whatever it is, answers go on
            self._count("failed").inc(len(records))
            self._complain(error)
        else:
            self._count("written").inc(len(records))
        finally:
            # Until now they were in memory.
            with self._lock:
                self._bytes -= sum(record.size for record in records)

    def _line(self, record: Record) -> Iterator[bytes]:
        content = dict(record.content)
        content["image_sha256"] = hashlib.sha256(record.image).hexdigest()
        content["image_bytes"] = len(record.image)
        line = orjson.dumps(content)
        if not self._with_images:
            yield line + b"\n"
            return
        yield line.removesuffix(b"}") + b',"image":"'
        for start in range(0, len(record.image), _PIECE):
            yield base64.b64encode(record.image[start : start + _PIECE])
        yield b'"}\n'

    def _complain(self, error: Exception) -> None:
        now = self._clock()
        if self._complained is None or now - self._complained >= _COMPLAINT_SECONDS:
            self._complained = now
            logger.error("records are lost: %s", error)
