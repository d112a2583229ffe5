"""Inputs in, rows out, through the client."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

from senet_client.async_client import AsyncClient
from senet_client.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    ImageError,
    InferenceFailed,
    SenetClientError,
    TooManyImages,
)
from senet_client.images import EncodedImage, Grouping
from senet_client.requests import ClassifyOptions
from senet_client.results import Classification, Model, Result
from senet_client.score.failures import ScoreError, Stopped
from senet_client.score.output import Output
from senet_client.score.pace import Pace, Slots
from senet_client.score.reading import BYTES_PER_REQUEST, Read, Reading, Task
from senet_client.score.rows import (
    BEST_SCORE,
    ERROR_CODE,
    INDEX,
    Answered,
    Row,
    Sending,
    Shape,
    row,
)

# Parts that may be incomplete at once: one slow request must not stop the others, and must not
# let rows pile up in memory either.
_OPEN_PARTS = 8

Answer = tuple[Task, Result, Sending]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What decides a run.

    Attributes:
        model: the one model that all rows must be of.
        shape: of the rows.
        keep_below: rows whose best score is not below it are left out; None keeps all.
        rows_per_part: rows of every part but the last.
        images_per_request: most images in a request.
        retry_errors: whether committed rows that hold an error are scored again.
    """

    model: Model
    shape: Shape
    rows_per_part: int
    images_per_request: int
    retry_errors: bool = False
    keep_below: float | None = None


@dataclass(slots=True)
class _Part:
    """A part under way: rows that are there, and how many are still to come."""

    number: int
    missing: int
    rows: list[Row] = field(default_factory=list)


class Run:
    """Scores what an output still lacks.

    Args:
        client: sends the images.
        output: takes the parts.
        reading: reads the images.
        pace: how many requests may be under way.
        options: what decides the run.
        on_rows: told how many rows have come, and how many of them hold an error.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        client: AsyncClient,
        output: Output,
        reading: Reading,
        pace: Pace,
        options: RunOptions,
        on_rows: Callable[[int, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._output = output
        self._reading = reading
        self._pace = pace
        self._options = options
        self._on_rows = on_rows
        self._clock = clock
        self._slots = Slots(lambda: pace.limit)
        self._ahead = Slots(lambda: reading.chunks_ahead)
        self._open_parts = asyncio.Semaphore(_OPEN_PARTS)

    async def run(self) -> None:
        """Runs until every input has its row on disk.

        Raises:
            SenetClientError: if the service cannot be used; what is committed stands.
            ScoreError: if the disk or the inputs' storage cannot be used, or another model answers.
            OSError: if the output's folder has been changed by somebody else.
        """
        try:
            # One thread writes all parts: Arrow's allocator keeps a heap for each that ever wrote.
            with ThreadPoolExecutor(1, thread_name_prefix="commit") as writer:
                await self._run(writer)
        except* (SenetClientError, ScoreError, OSError) as failures:
            # What failed first has stopped the rest.
            raise failures.exceptions[0] from None

    async def _run(self, writer: Executor) -> None:
        async with asyncio.TaskGroup() as group:
            for part, tasks in self._parts():
                await self._open_parts.acquire()
                for start in range(0, len(tasks), self._options.images_per_request):
                    chunk = tasks[start : start + self._options.images_per_request]
                    await self._ahead.take()
                    group.create_task(self._score(part, chunk, writer))

    def _parts(self) -> Iterator[tuple[_Part, list[Task]]]:
        """The parts that are not, or not well, on disk, and what is to be scored for them."""
        inputs = self._output.inputs
        for stretch in inputs.stretches(self._options.rows_per_part):
            commit = self._output.journal.commits.get(stretch.part)
            if commit is None:
                yield _Part(stretch.part, stretch.rows), inputs.read(stretch)
            elif commit.errors and self._options.retry_errors:
                good, failed = self._output.failed_rows(stretch.part)
                tasks = [task for task in inputs.read(stretch) if task[0] in failed]
                yield _Part(stretch.part, len(tasks), good), tasks

    async def _score(self, part: _Part, tasks: list[Task], writer: Executor) -> None:
        answers = await self._ask(tasks)
        options = self._options
        for (index, found), result, sending in answers:
            answer = (
                Answered(result.predictions, result.embedding)
                if isinstance(result, Classification)
                else result
            )
            made = row(
                index, found.path, options.model, answer, sending, options.shape, found.kept or ()
            )
            if _is_kept(made, options.keep_below):
                part.rows.append(made)
        part.missing -= len(answers)
        failed = sum(isinstance(result, SenetClientError) for _, result, _ in answers)
        self._on_rows(len(answers), failed)
        if not part.missing:
            part.rows.sort(key=lambda row: int(str(row[INDEX])))
            await asyncio.get_running_loop().run_in_executor(
                writer, self._output.commit, part.number, part.rows
            )
            self._open_parts.release()

    async def _ask(self, tasks: list[Task]) -> list[Answer]:
        """Reads and sends a request's worth of images; in several requests if they are large."""
        answers: list[Answer] = []
        ahead = True
        try:
            while tasks:
                read, tasks = await self._reading.read(tasks)
                for task, image in read:
                    if isinstance(image, ImageError):
                        answers.append((task, image, Sending(0, 0.0)))
                for group in _requests(read):
                    if not await self._slots.take():
                        self._reading.starved()
                    try:
                        if ahead:
                            self._ahead.free()
                            ahead = False
                        answers += await self._send(group)
                    finally:
                        self._slots.free()
        finally:
            if ahead:
                self._ahead.free()
        return answers

    async def _send(self, images: Sequence[tuple[Task, EncodedImage]]) -> list[Answer]:
        started = self._clock()
        crowded = self._slots.full
        shape = self._options.shape
        asked: ClassifyOptions = {"top_k": shape.asked, "priority": "bulk"}
        if shape.embedding:
            asked["include"] = ["embedding"]
        try:
            batch = await self._client.classify_batch([image.data for _, image in images], **asked)
        except (
            ImageError,
            InferenceFailed,
            DeadlineExceeded,
            BodyTooLarge,
            TooManyImages,
        ) as error:
            if len(images) == 1:
                return [(images[0][0], error, Sending(error.attempts, self._clock() - started))]
            # A limit of the service is lower than ours, or the request failed as a whole: halves
            # find out which of its images is at fault.
            middle = len(images) // 2
            return await self._send(images[:middle]) + await self._send(images[middle:])
        if batch.model != self._options.model:
            raise Stopped(
                f"the service now serves {_told(batch.model)} instead of"
                f" {_told(self._options.model)}, with which this output was begun"
            )
        seconds = self._clock() - started
        if batch.attempts == 1 and crowded:
            self._pace.answered(seconds)
        sending = Sending(batch.attempts, seconds)
        return [
            (task, result, sending) for (task, _), result in zip(images, batch.results, strict=True)
        ]


def _requests(read: Sequence[Read]) -> Iterator[list[tuple[Task, EncodedImage]]]:
    """The images that could be read, in requests that are not too large."""
    grouping: Grouping[tuple[Task, EncodedImage]] = Grouping(
        lambda item: len(item[1].data), max_images=len(read), max_bytes=BYTES_PER_REQUEST
    )
    return grouping.of((task, image) for task, image in read if isinstance(image, EncodedImage))


def _is_kept(row: Row, below: float | None) -> bool:
    best = row[BEST_SCORE]
    return (
        below is None or row[ERROR_CODE] is not None or not isinstance(best, float) or best < below
    )


def _told(model: Model) -> str:
    return f"{model.name}:{model.version} ({model.precision}, {model.digest[:15]})"
