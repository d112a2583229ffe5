"""Tar archives: where in the file each member is, so that it can be read by itself."""

import tarfile
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from senet_client.score import storage
from senet_client.score.outages import is_outage

SUFFIX = ".tar"
_PROTOCOL = "tar://"


class Damaged(Exception):
    """An archive cannot be read, or not beyond some place."""


class Member(NamedTuple):
    """A file in an archive; offset and size are in bytes."""

    name: str
    offset: int
    size: int


def members(archive: str) -> Iterator[Member]:
    """The files in an archive, in order, sparse and linked ones left out.

    Args:
        archive: path or URL.

    Raises:
        Damaged: if it cannot be read to its end.
    """
    try:
        with (
            storage.open_file(archive) as opened,
            tarfile.open(
                fileobj=opened, mode="r:", encoding="utf-8", errors="surrogateescape"
            ) as found,
        ):
            for member in found:
                if member.isreg():
                    yield Member(member.name, member.offset_data, member.size)
                # Members are kept by the archive object otherwise, a million of them too.
                found.members = []  # type: ignore[attr-defined]  # documented, not in the stubs
    except (OSError, ValueError, tarfile.TarError) as error:
        if storage.is_remote(archive) and is_outage(error):
            raise
        raise Damaged(f"not a readable tar archive ({error})") from error


class Indices:
    """Finds members by the URL that the output names them by, `tar://member::archive`."""

    def __init__(self) -> None:
        # Rows of one archive mostly stand together; an index of a million members is large.
        self._index = lru_cache(maxsize=2)(_index)

    def find(
        self, url: str, displayed: Callable[[str], str]
    ) -> tuple[str, int | None, int | None] | None:
        """Where a member is: its archive's absolute name, offset and size.

        Args:
            url: what may name a member.
            displayed: how the names of members are shown in URLs.

        Returns:
            None if it names none in a plain tar archive that is there; without offset and size
            if the archive does not hold it.
        """
        if not url.startswith(_PROTOCOL):
            return None
        pieces = url.removeprefix(_PROTOCOL).split("::")
        # The names on both sides may hold the separator.
        for place in range(1, len(pieces)):
            archive = "::".join(pieces[place:])
            if archive.lower().endswith(SUFFIX) and storage.exists(archive):
                file = storage.absolute(archive)
                member = "::".join(pieces[:place])
                return file, *self._index(file, displayed).get(member, (None, None))
        return None


def _index(
    archive: str, displayed: Callable[[str], str]
) -> Mapping[str, tuple[int | None, int | None]]:
    index: dict[str, tuple[int | None, int | None]] = {}
    try:
        for member in members(archive):
            index[displayed(member.name)] = (member.offset, member.size)
    except Damaged:
        # What comes before the damage is there.
        return index
    return index
