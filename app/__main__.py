"""`python -m app`: serves with the options of the command line and the environment."""

import sys

from app.errors import ConfigurationError
from app.server import serve
from app.settings import load_settings


def main() -> int:
    """Runs the service; the exit code is 0 after a drain, 1 after a failure, 2 for bad options."""
    try:
        serve(load_settings(sys.argv[1:]))
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the one line meant for a person
        return 2
    except Exception as error:  # noqa: BLE001 - it has been logged where it arose
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
