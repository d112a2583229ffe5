"""An output whose parts are gone: finished, or not of this command."""

from pathlib import Path
from tempfile import TemporaryDirectory

from senet_client.score.ending import Exit, say
from senet_client.score.failures import WrongOption
from senet_client.score.formats import FORMATS
from senet_client.score.target import Target
from senet_client.score.upload import fetch, is_there


def is_finished(target: Target) -> bool:
    """Whether there is such an output."""
    if target.url is not None:
        return is_there(target.url, is_file=target.is_file)
    return target.is_file and target.path.exists()


def tell(target: Target, *, retry_errors: bool) -> Exit:
    """Says how it stands with it.

    Args:
        target: the output.
        retry_errors: whether its errors were to be tried again.

    Raises:
        WrongOption: if they cannot be, or it was not written by a scoring run.
    """
    if target.url is not None and not target.is_file:
        # Without errors alone the parts are removed here.
        return say(Exit.COMPLETE, f"{target.shown} is complete already")
    try:
        codes = list(map(bool, _error_codes(target)))
    except WrongOption:
        raise
    except Exception as error:  # of three formats' readers
        raise WrongOption(
            "--resume",
            f"{target.shown} was not written by a scoring run ({error!r})",
            "choose another --output, or replace it with --overwrite",
        ) from error
    errors = sum(codes)
    if not errors:
        return say(Exit.COMPLETE, f"{target.shown} is complete already")
    if retry_errors:
        raise WrongOption(
            "--retry-errors",
            f"{errors} rows of {target.shown} hold an error, and {target.folder}, in whose"
            " parts they would be replaced, is gone",
            "score those images to another --output, or all of them with --overwrite",
        )
    return say(Exit.PARTIAL, f"{target.shown} has all rows already, {errors} of them hold an error")


def _error_codes(target: Target) -> list[str | None]:
    form = FORMATS[target.format]()
    if target.url is None:
        return list(form.error_codes(target.path))
    with TemporaryDirectory() as folder:
        file = Path(folder) / target.path.name
        fetch(target.url, file)
        return list(form.error_codes(file))
