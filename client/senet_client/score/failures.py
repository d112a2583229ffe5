"""How a scoring run can end before its end.

ScoreError
├── WrongOption     the command cannot run as given
├── OutOfReach      an input cannot be read now; trying again may help
└── Stopped         the run cannot go on; what is committed stands
"""


class ScoreError(Exception):
    """Root of the tree. The message is one line for a person."""


class WrongOption(ScoreError):
    """The command cannot run as given.

    Args:
        option: the argument or option.
        cause: what is wrong.
        remedy: what to do about it.
    """

    def __init__(self, option: str, cause: str, remedy: str) -> None:
        super().__init__(f"{option}: {cause}; {remedy}")


class OutOfReach(ScoreError):
    """The storage of an input does not answer as it should."""


class Stopped(ScoreError):
    """The run cannot go on now."""
