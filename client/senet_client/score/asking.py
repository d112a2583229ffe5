"""The service that a `score` command asks: its model, and the requests to it."""

import asyncio

from senet_client.async_client import AsyncClient
from senet_client.client import Client
from senet_client.errors import Overloaded, UnexpectedAnswer
from senet_client.flow import Retries, Retry, Timeouts
from senet_client.results import Model
from senet_client.score.options import JobOptions
from senet_client.score.output import Output
from senet_client.score.pace import AutomaticPace, FixedPace, Pace
from senet_client.score.progress import report
from senet_client.score.reading import Reading
from senet_client.score.run import Run, RunOptions

# How long the service may take to say which model it serves, before anything is begun.
_FIRST_ANSWER_SECONDS = 30.0
# How long a request may go without an answer before its connection is given up.
_READ_SECONDS = 60.0
# As good as unbounded: how long to go on is told in seconds.
_ATTEMPTS = 1_000_000
# The most that `AutomaticPace` allows.
_MOST_REQUESTS = 64


def served_model(options: JobOptions) -> Model:
    """The model that the service answers with by default.

    Raises:
        SenetClientError: if the service cannot be asked, or serves none.
    """
    timeouts = Timeouts(total=_FIRST_ANSWER_SECONDS)
    with Client(options.url, api_key=options.api_key, timeouts=timeouts) as client:
        served = client.models()
    if not served:
        raise UnexpectedAnswer(f"{options.url} serves no model")
    loaded = served[0]
    return Model(loaded.name, loaded.version, loaded.precision, loaded.digest, loaded.preprocessing)


async def score(options: JobOptions, output: Output, model: Model) -> None:
    """Scores what an output still lacks, and shows how far that has come.

    Args:
        options: of the command.
        output: gets the rows.
        model: must answer for all of them.

    Raises:
        SenetClientError: see `Run.run`.
        ScoreError: likewise.
        OSError: likewise.
    """
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
