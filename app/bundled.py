"""The default model that an installed package brings along."""

from pathlib import Path

REPOSITORY = Path(__file__).with_name("models")
"""Where the wheel has it; in a checkout, which has `models/` instead, there is no such folder."""


def or_bundled(repository: Path, *, is_chosen: bool, bundled: Path = REPOSITORY) -> Path:
    """The model repository to serve from.

    Args:
        repository: what the option says.
        is_chosen: whether somebody has set the option.
        bundled: the package's own repository; it need not exist.

    Returns:
        The package's own where nobody has chosen one and the default folder is not there.
    """
    if is_chosen or repository.exists() or not bundled.is_dir():
        return repository
    return bundled
