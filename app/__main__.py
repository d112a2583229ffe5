"""`python -m app`: serves with the options of the command line and the environment."""

import importlib.util
import logging
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from app.contract.errors import ConfigurationError, EngineHung, StoreUnavailable


def main() -> int:
    """Runs the service; the exit code is 0 after a drain, 1 after a failure, 2 for bad options."""
    # The server replaces this once it runs. Until then a container's first process, for which the
    # kernel does nothing by default, would not hear it.
    signal.signal(signal.SIGTERM, _stop_at_once)
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:  # which is what a command line without a word does
        arguments = arguments[1:]
    # Imported where they are used: that takes a second, in which SIGTERM may come, and the doctor
    # must speak where the service cannot be imported.
    try:
        if arguments[:1] == ["keys"]:
            from app.cli.keys import manage_keys

            print(manage_keys(arguments[1:]))  # noqa: T201 - the command's result
        elif arguments[:1] == ["doctor"]:
            from app.cli.doctor.command import examine

            code, report = examine(arguments[1:])
            print(report)  # noqa: T201 - the command's result
            return code
        elif arguments[:1] == ["models"]:
            from app.cli.models import manage_models

            code, report = manage_models(arguments[1:])
            print(report)  # noqa: T201 - the command's result
            return code
        elif arguments[:1] == ["tensorrt"]:
            from app.cli.tensorrt import build_engine

            print(build_engine(arguments[1:]))  # noqa: T201 - the command's result
        elif arguments[:1] == ["gallery"]:
            from app.cli.gallery.command import write_gallery

            print(write_gallery(arguments[1:]))  # noqa: T201 - the command's result
        elif arguments[:1] == ["tune"]:
            _become_tune(arguments[1:])
        else:
            from app.settings import load_settings
            from app.transport.process import serve

            serve(load_settings(arguments))
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the one line meant for a person
        return 1 if isinstance(error, StoreUnavailable) else 2
    except EngineHung as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - likewise
        logging.shutdown()
        # The interpreter would wait for the hung thread for ever.
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - it has been logged where it arose
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - likewise
        return 1
    return 0


def _stop_at_once(_number: int, _frame: FrameType | None) -> None:
    # Nothing has begun that would need an end; an exception raised amid imports may be swallowed.
    os._exit(0)


def _become_tune(arguments: list[str]) -> NoReturn:
    """Hands this process over: tuning loads a service from outside, and is not part of it."""
    module = "tools.tune"
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ConfigurationError(
            "tune",
            "an installed service does not include it",
            f"run python -m {module} in a checkout of the project",
        )
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - our own


if __name__ == "__main__":
    sys.exit(main())
