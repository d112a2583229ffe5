"""The command line."""

import sys
from typing import Annotated, Literal

import typer

from senet_client.access import checked_key, checked_url
from senet_client.base import IMAGES_PER_REQUEST, MAX_IMAGE_BYTES
from senet_client.errors import InvalidArgument
from senet_client.score.job import JobOptions, run_job
from senet_client.score.progress import ProgressKind

application = typer.Typer(
    help="Client of the SENet image classification service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@application.callback()
def _commands() -> None:
    # Typer makes an application of one command without this, and `score` would be no word of it.
    pass


def _concurrency(text: str) -> int | None:
    if text == "auto":
        return None
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 1000:
        return int(text)
    raise typer.BadParameter(
        f"{text!r} is neither auto nor a number from 1 to 1000", param_hint="--concurrency"
    )


def _url(text: str) -> str:
    try:
        return checked_url(text)
    except InvalidArgument as error:
        raise typer.BadParameter(_cause(error)) from error


def _key(text: str | None) -> str | None:
    try:
        return checked_key(text)
    except InvalidArgument as error:
        raise typer.BadParameter(_cause(error)) from error


def _cause(error: InvalidArgument) -> str:
    """The message without the argument's name, in whose place stands the option's."""
    return str(error).partition(": ")[2]


@application.command()
def score(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Images, folders, patterns, .tar and .zip archives, shard-{000..127}.tar,"
            " manifests (.csv, .jsonl, .parquet); paths or URLs (s3://, gs://, az://, ...); - for"
            " a list on standard input.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            help="A .parquet, .csv or .jsonl file, or a folder for many files; path or URL."
        ),
    ],
    url: Annotated[
        str, typer.Option(envvar="SENET_URL", callback=_url, help="Where the service is.")
    ] = "http://127.0.0.1:8000",
    api_key: Annotated[
        str | None,
        typer.Option(envvar="SENET_API_KEY", callback=_key, help="Key for the service."),
    ] = None,
    work: Annotated[
        str, typer.Option(help="Folder for the parts of an output that is a URL, until its end.")
    ] = ".",
    format: Annotated[  # noqa: A002 - the option's name
        Literal["csv", "jsonl", "parquet"] | None,
        typer.Option(help="Of the files in an output folder: parquet."),
    ] = None,
    column: Annotated[
        str, typer.Option(help="Manifests' column of paths, or of images in Parquet.")
    ] = "path",
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Manifests' column to keep, as text; repeatable."),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Classes a row.")] = 5,
    margin: Annotated[
        bool, typer.Option("--margin", help="Add the distance of the two best scores.")
    ] = False,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Add the features; not to CSV.")
    ] = False,
    keep_below: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SCORE",
            help="Keep only rows whose best score is below, and those with errors.",
        ),
    ] = None,
    concurrency: Annotated[
        str, typer.Option(help="Requests at once; auto finds the service's capacity.")
    ] = "auto",
    images_per_request: Annotated[
        int, typer.Option(min=1, help="Most images in a request.")
    ] = IMAGES_PER_REQUEST,
    max_image_bytes: Annotated[
        int, typer.Option(min=1, help="A larger image is not read, and its row says so.")
    ] = MAX_IMAGE_BYTES,
    rows_per_part: Annotated[
        int, typer.Option(min=1, help="Rows that are put on disk at once.")
    ] = 1024,
    give_up_after: Annotated[
        float,
        typer.Option(
            min=1, max=1e6, help="Seconds without an answer to a request that end the run."
        ),
    ] = 300,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the output.")] = False,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Go on, and score again rows with an error.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output of an earlier run.")
    ] = False,
    progress: Annotated[
        ProgressKind, typer.Option(help="auto: a bar at a terminal, JSON lines elsewhere.")
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="The same as --progress none.")] = False,
) -> None:
    """Scores images through the service: exactly one row for each, whatever happens.

    Exit codes: 0 every image has a good row; 3 rows tell of errors, or the run stopped early;
    1 stopped before any row was on disk; 2 wrong options; 130 interrupted.
    """
    if overwrite and (resume or retry_errors):
        raise typer.BadParameter("--overwrite excludes --resume and --retry-errors")
    options = JobOptions(
        inputs=tuple(inputs),
        output=output,
        work=work,
        format=format,
        url=url,
        api_key=api_key,
        column=column,
        keep=tuple(keep or ()),
        top_k=top_k,
        margin=margin,
        embeddings=embeddings,
        keep_below=keep_below,
        concurrency=_concurrency(concurrency),
        images_per_request=images_per_request,
        max_image_bytes=max_image_bytes,
        rows_per_part=rows_per_part,
        give_up_after=give_up_after,
        resume=resume,
        retry_errors=retry_errors,
        overwrite=overwrite,
        progress="none" if quiet else progress,
    )
    raise typer.Exit(run_job(options, ["senet-client", *sys.argv[1:]]))
