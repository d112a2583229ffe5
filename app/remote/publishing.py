"""Writing a version to a store."""

from app.contract.errors import ConfigurationError
from app.contract.manifest_file import MANIFEST
from app.contract.repository import ModelVersion
from app.remote.store import Store


def publish(version: ModelVersion, store: Store, *, force: bool) -> str:
    """Copies a version to a store, its manifest last: whoever reads meets a whole one or none.

    Args:
        version: it is verified before anything is written.
        store: gets it.
        force: whether a version that is there may be replaced; while it is, there is none.

    Returns:
        Where it is now.

    Raises:
        ConfigurationError: if it is not in order, is there already, or cannot be written.
    """
    version.verify()
    manifest = version.manifest
    folder = f"{manifest.name}/{manifest.version}"
    if store.has(f"{folder}/{MANIFEST}"):
        if not force:
            raise ConfigurationError(
                "--force",
                f"{store.where(folder)} exists",
                "give --force to replace it, or write another version",
            )
        store.remove(f"{folder}/{MANIFEST}")
    files = sorted(path for path in version.folder.iterdir() if _is_plain(path.name))
    for path in sorted(files, key=lambda path: path.name == MANIFEST):
        if path.is_file():
            store.write(path, f"{folder}/{path.name}")
    return store.where(folder)


def _is_plain(name: str) -> bool:
    return not name.startswith(".")
