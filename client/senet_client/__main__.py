"""`senet-client`, or `python -m senet_client`."""

import sys

from senet_client.extras import how_to_install


def main() -> int:
    """Runs the command line; without the `score` extra, says what is missing."""
    try:
        from senet_client import classify_command, feedback_command, models_command, report_command
        from senet_client.score.command import application
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "typer"):
            raise
        # The command line's answer to a person.
        print(  # noqa: T201 - for a person
            f"error: the command needs {error.name}; {how_to_install('score')}",
            file=sys.stderr,
        )
        return 2
    for commands in (classify_command, feedback_command, models_command, report_command):
        commands.add_commands(application)
    application()
    return 0


if __name__ == "__main__":
    sys.exit(main())
