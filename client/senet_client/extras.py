"""How what is missing is installed."""


def how_to_install(extra: str) -> str:
    """The command that adds an extra of this distribution.

    It names the folder of a clone, for on a public index the name may be anybody's.
    """
    return f"in a clone of the service's repository: pip install './client[{extra}]'"
