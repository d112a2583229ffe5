"""The repository behind a URI."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest
from app.contract.manifest_file import MANIFEST, MOST_MANIFEST_BYTES, parse_manifest
from app.contract.repository import ModelVersion, is_model_name, told, version_number
from app.remote.copies import Copies
from app.remote.store import Store

_OPTION = "model_repository"
_KEY_DIGITS = 16
_FOR_PEOPLE = re.compile(r"README\.md|report\.(json|md)|[a-z]+\.svg")


class RemoteRepository:
    """A `Repository` in a store, whose versions are copied here before they are read.

    A version is what its manifest names: a manifest is written last, and read first. Nothing of
    what is copied is kept unless each model file has the digest that the manifest says.

    Args:
        store: where it is.
        copies: on this machine.
    """

    def __init__(self, store: Store, copies: Copies) -> None:
        self._store = store
        self._copies = copies

    def names(self) -> list[str]:
        """See `Repository`."""
        return [name for name in self._names() if self.versions(name)]

    def versions(self, name: str) -> list[int]:
        """See `Repository`."""
        if not is_model_name(name):
            return []
        numbers = map(version_number, self._store.folder(name))
        return sorted(number for number in numbers if number is not None)

    def latest(self, name: str) -> int | None:
        """See `Repository`."""
        for version in reversed(self.versions(name)):
            if self._store.has(f"{name}/{version}/{MANIFEST}"):
                return version
        return None

    def stamp(self, name: str, version: int) -> tuple[object, ...]:
        """See `Repository`."""
        folder = f"{name}/{version}"
        return tuple(
            (file, self._store.stamp(f"{folder}/{file}")) for file in self._store.folder(folder)
        )

    def manifest(self, name: str, version: int | None = None) -> Manifest:
        """See `Repository`."""
        return self._manifest(name, version)[0]

    def find(
        self,
        name: str,
        version: int | None = None,
        on_copy: Callable[[], None] = lambda: None,
    ) -> ModelVersion:
        """See `Repository`."""
        manifest, data = self._manifest(name, version)
        folder = f"{name}/{manifest.version}"
        # Files may change under the same manifest: the golden ones have no digests in it.
        stamps = [self._store.stamp(f"{folder}/{file}") for file in manifest.files]
        content = json.dumps([self._store.uri, data.decode(), stamps]).encode()
        key = f"{manifest.version}-{hashlib.sha256(content).hexdigest()[:_KEY_DIGITS]}"

        def make(target: Path) -> None:
            self._copy(folder, manifest, target, on_copy)
            (target / MANIFEST).write_bytes(data)

        return ModelVersion(self._copies.get(name, key, make), manifest)

    def close(self) -> None:
        """See `Repository`."""
        self._store.close()

    def copy(self, name: str, version: int | None, target: Path) -> ModelVersion:
        """Copies a version into a folder, with what is in it for people.

        Raises:
            ConfigurationError: see `find`.
            OSError: if it cannot be written.
        """
        manifest, data = self._manifest(name, version)
        folder = f"{name}/{manifest.version}"
        self._copy(folder, manifest, target, lambda: None)
        for file in self._for_people(folder):
            self._store.copy(f"{folder}/{file}", target / file, lambda: None)
        (target / MANIFEST).write_bytes(data)
        return ModelVersion(target, manifest)

    def _for_people(self, folder: str) -> list[str]:
        try:
            return list(filter(_FOR_PEOPLE.fullmatch, self._store.folder(folder)))
        except ConfigurationError:
            return []  # not every web server lists

    def _copy(
        self, folder: str, manifest: Manifest, target: Path, on_copy: Callable[[], None]
    ) -> None:
        for file, expected in manifest.files.items():
            path = f"{folder}/{file}"
            digest = self._store.copy(path, target / file, on_copy)
            if expected not in (None, digest):
                raise ConfigurationError(
                    _OPTION,
                    f"{self._store.where(path)} has SHA-256 {digest}, its manifest says {expected}",
                    "copy the model there again or export it anew",
                )

    def _manifest(self, name: str, version: int | None) -> tuple[Manifest, bytes]:
        if not is_model_name(name):
            raise self._absent(name)
        if version is None and (version := self.latest(name)) is None:
            raise self._absent(name)
        path = f"{name}/{version}/{MANIFEST}"
        # A web server that does not list can still be asked for a version by its name.
        if not self._store.has(path):
            raise self._absent(f"{name}:{version}")
        data = self._store.read(path, MOST_MANIFEST_BYTES)
        return parse_manifest(data, self._store.where(path), name, version), data

    def _absent(self, wanted: str) -> ConfigurationError:
        try:
            holds = f", which holds {told(self._names())}"
        except ConfigurationError:
            holds = ""
        return ConfigurationError(
            "model",
            f"{wanted} is not in {self._store.uri}{holds}",
            "set --model (SENET_MODEL) to one that is there, as name:version where a web server"
            " does not list its folders",
        )

    def _names(self) -> list[str]:
        return list(filter(is_model_name, self._store.folder("")))
