"""One `score` command from its options to its exit code."""

import asyncio
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from senet_client.errors import SenetClientError
from senet_client.results import Model
from senet_client.score.asking import score, served_model
from senet_client.score.ending import Exit, how_to_resume, say
from senet_client.score.failures import ScoreError, WrongOption
from senet_client.score.finished import is_finished, tell
from senet_client.score.listing import list_inputs
from senet_client.score.lock import OutputLock
from senet_client.score.options import JobOptions as JobOptions
from senet_client.score.output import Output
from senet_client.score.rows import columns
from senet_client.score.target import Target
from senet_client.score.upload import remove_parts


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
        model = served_model(options)
        self._output = output = self._open(target, model, going_on and target.is_begun)
        asyncio.run(self._score(output, model))
        with _terminable():  # the event loop has taken its handler along
            output.finish()
        if not output.errors:
            return say(Exit.COMPLETE, f"{output.rows} rows in {target.shown}")
        return say(
            Exit.PARTIAL,
            f"{output.rows} rows in {target.shown}, {output.errors} of them hold an error;"
            " add --retry-errors to try those again",
        )

    def _open(self, target: Target, model: Model, going_on: bool) -> Output:
        options = self._options
        header = options.header(target, model)
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
        await score(self._options, output, model)


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
