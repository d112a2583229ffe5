"""The former name of `python -m app tensorrt`."""

import sys

from app.cli.tensorrt import build_engine
from app.contract.errors import ConfigurationError


def main(arguments: list[str] | None = None) -> int:
    """Builds what the command line says. Returns the exit code."""
    try:
        print(build_engine(sys.argv[1:] if arguments is None else arguments))
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
