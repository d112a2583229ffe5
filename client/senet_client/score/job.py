"""One `score` command from its options to its exit code."""

import asyncio
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from senet_client.async_client import AsyncClient
from senet_client.client import Client
from senet_client.errors import Overloaded, SenetClientError, UnexpectedAnswer
from senet_client.flow import Retries, Retry, Timeouts
from senet_client.results import Model
from senet_client.score.ending import Exit, how_to_resume, say
from senet_client.score.failures import ScoreError, WrongOption
from senet_client.score.finished import is_finished, tell
from senet_client.score.journal import Header
from senet_client.score.listing import list_inputs
from senet_client.score.lock import OutputLock
from senet_client.score.output import Output
from senet_client.score.pace import AutomaticPace, FixedPace, Pace
from senet_client.score.progress import ProgressKind, report
from senet_client.score.reading import Reading
from senet_client.score.rows import Shape, columns
from senet_client.score.run import Run, RunOptions
from senet_client.score.target import Target
from senet_client.score.upload import remove_parts

# How long the service may take to say which model it serves, before anything is begun.
_FIRST_ANSWER_SECONDS = 30.0
# How long a request may go without an answer before its connection is given up.
_READ_SECONDS = 60.0
# As good as unbounded: how long to go on is told in seconds.
_ATTEMPTS = 1_000_000
# The most that `AutomaticPace` allows.
_MOST_REQUESTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The options of the command; `command.py` says what each means."""

    inputs: tuple[str, ...]
    output: str
    work: str = "."
    format: str | None = None
    url: str
    api_key: str | None = None
    column: str = "path"
    top_k: int = 5
    margin: bool = False
    embeddings: bool = False
    keep: tuple[str, ...] = ()
    keep_below: float | None = None
    concurrency: int | None = None
    images_per_request: int = 16
    max_image_bytes: int = 32 * 1024 * 1024
    rows_per_part: int = 1024
    give_up_after: float = 300.0
    resume: bool = False
    retry_errors: bool = False
    overwrite: bool = False
    progress: ProgressKind = "auto"

    @property
    def shape(self) -> Shape:
        """The columns of the rows."""
        return Shape(self.top_k, self.margin, self.embeddings, self.keep)


def run_job(options: JobOptions, command: Sequence[str]) -> Exit:
    """Runs the job; says on standard error how it ended.

    Args:
        options: what to do.
        command: the command line, to tell how to go on.
    """
    job = _Job(options)
    try:
        with _terminable():
            return job.run()
    except WrongOption as error:
        return say(Exit.WRONG_OPTION, f"error: {error}")
    except (ScoreError, SenetClientError, OSError) as error:
        code = Exit.PARTIAL if job.rows else Exit.FAILED
        return say(code, f"stopped: {error}", *job.how_to_resume(command))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return say(Exit.INTERRUPTED, "interrupted", *job.how_to_resume(command))
    finally:
        job.close()


class _Job:
    def __init__(self, options: JobOptions) -> None:
        self._options = options
        self._output: Output | None = None

    def how_to_resume(self, command: Sequence[str]) -> list[str]:
        """What to say of that; nothing if there is nothing to resume."""
        return [] if self._output is None else how_to_resume(command)

    @property
    def rows(self) -> int:
        """Rows on disk."""
        return self._output.rows if self._output is not None else 0

    def close(self) -> None:
        """Lets go of the output."""
        if self._output is not None:
            self._output.close()

    def run(self) -> Exit:
        target = Target.of(self._options.output, self._options.format, self._options.work)
        columns(self._options.shape)  # refused before anything is begun
        if self._options.embeddings and target.format == "csv":
            raise WrongOption("--embeddings", "CSV holds no lists", "write .jsonl or .parquet")
        # First, so that whoever does not get it has changed nothing.
        with OutputLock(target.folder):
            try:
                return self._run(target)
            finally:
                self.close()

    def _run(self, target: Target) -> Exit:
        options = self._options
        going_on = options.resume or options.retry_errors
        if going_on and not target.is_begun and is_finished(target):
            return tell(target, retry_errors=options.retry_errors)
        if target.is_taken and not (going_on and target.is_begun) and not options.overwrite:
            raise WrongOption(
                "--output",
                f"{options.output} exists",
                "add --resume to go on with it, or --overwrite to start over",
            )
        model = self._served_model()
        self._output = output = self._open(target, model, going_on and target.is_begun)
        asyncio.run(self._score(output, model))
        with _terminable():  # the event loop has taken its handler along
            output.finish()
        if not output.errors:
            return say(Exit.COMPLETE, f"{output.rows} rows in {target.shown}")
        return say(
            Exit.PARTIAL,
            f"{output.rows} rows in {target.shown}, {output.errors} of them tell of an error;"
            " add --retry-errors to try those again",
        )

    def _served_model(self) -> Model:
        timeouts = Timeouts(total=_FIRST_ANSWER_SECONDS)
        with Client(self._options.url, api_key=self._options.api_key, timeouts=timeouts) as client:
            served = client.models()
        if not served:
            raise UnexpectedAnswer(f"{self._options.url} serves no model")
        loaded = served[0]
        return Model(
            loaded.name, loaded.version, loaded.precision, loaded.digest, loaded.preprocessing
        )

    def _open(self, target: Target, model: Model, going_on: bool) -> Output:
        options = self._options
        header = _header(options, target, model)
        if going_on:
            return Output.resume(target, header, columns(options.shape))
        target.clear()
        if target.url is not None and not target.is_file:
            remove_parts(target.url)
        inputs = list_inputs(options.inputs, options.column, options.keep)
        return Output.begin(target, header, inputs, columns(options.shape))

    async def _score(self, output: Output, model: Model) -> None:
        task = asyncio.current_task()
        if task is not None and threading.current_thread() is threading.main_thread():
            # As Ctrl-C does by asyncio's own doing.
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        options = self._options
        pace: Pace = (
            AutomaticPace(_MOST_REQUESTS)
            if options.concurrency is None
            else FixedPace(options.concurrency)
        )

        def on_retry(retry: Retry) -> None:
            if isinstance(retry.error, Overloaded):
                pace.refused()

        run_options = RunOptions(
            model=model,
            shape=options.shape,
            keep_below=options.keep_below,
            rows_per_part=options.rows_per_part,
            images_per_request=options.images_per_request,
            retry_errors=options.retry_errors,
        )
        total = await asyncio.to_thread(output.inputs.count)
        done = output.rows - (output.errors if options.retry_errors else 0)
        shown = report(options.progress, total, done, lambda: pace.limit)
        async with AsyncClient(
            options.url,
            api_key=options.api_key,
            timeouts=Timeouts(total=options.give_up_after, read=_READ_SECONDS, pool=_READ_SECONDS),
            retries=Retries(attempts=_ATTEMPTS, timeouts=True, unreachable=True),
            on_retry=on_retry,
            max_image_bytes=options.max_image_bytes,
            max_connections=options.concurrency or _MOST_REQUESTS,
        ) as client:
            reading = Reading(
                options.max_image_bytes, options.images_per_request, options.give_up_after
            )
            try:
                with shown:
                    await Run(client, output, reading, pace, run_options, shown.rows).run()
            finally:
                reading.close()


@contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM do what Ctrl-C does, in the thread that gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _header(options: JobOptions, target: Target, model: Model) -> Header:
    """What must be the same for all rows of an output."""
    # What was not there in earlier versions is named only where it is used.
    added = {
        "margin": options.margin,
        "embeddings": options.embeddings,
        "keep": list(options.keep),
        "keep_below": options.keep_below,
    }
    return {
        "journal": 1,
        "inputs": list(options.inputs),
        "column": options.column,
        "format": target.format,
        "top_k": options.top_k,
        "rows_per_part": options.rows_per_part,
        "max_image_bytes": options.max_image_bytes,
        "model": model.name,
        "version": model.version,
        "precision": model.precision,
        "digest": model.digest,
        "preprocessing": model.preprocessing,
        **{name: value for name, value in added.items() if value not in (False, None, [])},
    }
