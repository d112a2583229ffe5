"""`python -m tools.bench.bare_worker`: photos to logits in a loop, with nothing around it.

Its one argument says in JSON what a `Job` holds. For each number of seconds on standard input it
runs that long and answers with one line of JSON.
"""

import json
import statistics
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.contract.manifest import Preprocessing
from app.contract.preprocess import preprocess
from app.engines.engine import Provider
from app.engines.providers import check_loaded, session_providers
from tools.bench.peer import MAX_PIXELS


@dataclass(frozen=True)
class Job:
    """What one bare process does.

    Attributes:
        model_file: ONNX file.
        preprocessing: the manifest's, as JSON.
        image: name of the input.
        logits: name of the output.
        provider: execution provider.
        photos: files to decode in turn.
        threads: of one inference run.
        loops: threads that decode and run, each for itself.
        batch: photos that a loop decodes before it runs them together.
    """

    model_file: str
    preprocessing: dict[str, Any]
    image: str
    logits: str
    provider: Provider
    photos: list[str]
    threads: int = 1
    loops: int = 1
    batch: int = 1


@dataclass(frozen=True)
class Done:
    """What it did.

    Attributes:
        images: classified.
        seconds: in which.
        median_ms: of one decode and run.
    """

    images: int
    seconds: float
    median_ms: float


class Worker:
    """The loop.

    Args:
        job: what to do.
    """

    def __init__(self, job: Job) -> None:
        self._preprocessing = Preprocessing.model_validate(job.preprocessing)
        self._photos = [Path(name).read_bytes() for name in job.photos]
        self._image, self._logits = job.image, job.logits
        self._loops, self._batch = job.loops, job.batch
        if job.provider != "cpu":
            # The GPU build's CUDA libraries lie among the Python packages.
            onnxruntime.preload_dlls()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            job.model_file, options, providers=session_providers(job.provider)
        )
        check_loaded(job.provider, self._session.get_providers())
        self._device = "cpu" if job.provider == "cpu" else "cuda"

    def run(self, seconds: float) -> Done:
        """Decodes and runs for that long, at least once in each loop."""
        started = time.monotonic()
        times: list[float] = []
        loops = [
            threading.Thread(target=self._loop, args=(started + seconds, times))
            for _ in range(self._loops)
        ]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join()
        return Done(
            len(times) * self._batch, time.monotonic() - started, 1000 * statistics.median(times)
        )

    def _loop(self, end: float, times: list[float]) -> None:
        index = 0
        while True:
            began = time.monotonic()
            self._infer(np.stack([self._decode(index + place) for place in range(self._batch)]))
            now = time.monotonic()
            times.append(now - began)
            index += self._batch
            if now >= end:
                return

    def _decode(self, index: int) -> NDArray[np.uint8]:
        photo = self._photos[index % len(self._photos)]
        return preprocess(photo, self._preprocessing, max_pixels=MAX_PIXELS)

    def _infer(self, images: NDArray[np.uint8]) -> None:
        if self._device == "cpu":
            self._session.run([self._logits], {self._image: images})
            return
        # Bound, so that outputs which nobody wants stay on the card.
        binding = self._session.io_binding()
        binding.bind_cpu_input(self._image, images)
        binding.bind_output(self._logits, self._device)
        self._session.run_with_iobinding(binding)
        binding.copy_outputs_to_cpu()


def main() -> int:
    """Runs until standard input ends."""
    worker = Worker(Job(**json.loads(sys.argv[1])))
    for line in sys.stdin:
        print(json.dumps(asdict(worker.run(float(line)))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
