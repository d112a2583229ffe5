"""The command's INPUT arguments, turned into one list of inputs."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from senet_client.errors import UnreadableImage
from senet_client.score import archives, fetch, manifest, storage
from senet_client.score.failures import ScoreError, WrongOption

IMAGE_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
)  # fmt: skip
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")


@dataclass(frozen=True, slots=True)
class Input:
    """One image to score.

    Attributes:
        path: its name in the output: the path as the argument gives it, `file.tar::member`'s
            URL in fsspec's chained form for members of archives.
        file: absolute path or URL of the file that holds it.
        offset: where in the file the image begins, in bytes; None for a whole file.
        length: of the image in bytes; None for a whole file whose size the listing does not tell.
        error: why it cannot be read, where listing it has shown that.
    """

    path: str
    file: str
    offset: int | None = None
    length: int | None = None
    error: str | None = None

    def read(self, max_bytes: int) -> bytes:
        """The encoded image.

        Raises:
            ImageError: if it cannot be read or has more than `max_bytes` bytes.
            OutOfReach: if its storage does not answer.
        """
        if self.error is not None:
            raise UnreadableImage(self.error)
        return fetch.read(self.file, self.offset, self.length, max_bytes)


def list_inputs(arguments: Sequence[str], column: str) -> Iterator[Input]:
    """Lists the inputs, in an order that depends on nothing but their names.

    Within one argument everything that is listed is an input, so that a manifest that names an
    image twice gets two rows. What an earlier argument has listed already is left out.

    Args:
        arguments: files, folders, patterns, manifests, tar archives; paths or URLs.
        column: the manifests' column that names the images.

    Raises:
        WrongOption: if an argument leads to no image.
    """
    listed: set[bytes] = set()
    for argument in arguments:
        here: list[bytes] = []
        empty = True
        for found in _of_argument(argument, column):
            empty = False
            if len(arguments) > 1:
                digest = _digest(found)
                if digest in listed:
                    continue
                here.append(digest)
            yield found
        if empty:
            raise _no_image(argument)
        listed.update(here)


def displayed(location: str) -> str:
    r"""A path as text: bytes that are not UTF-8 become `\xNN`, half a surrogate pair `\uNNNN`."""
    try:
        return os.fsencode(location).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # no file's name; a JSON manifest may hold it all the same
        return location.encode("utf-8", "backslashreplace").decode()


def _of_argument(argument: str, column: str) -> Iterator[Input]:
    try:
        yield from _inputs_of(argument, column, archives.Indices())
    except ScoreError:
        raise
    except Exception as error:
        # Every remote file system has exceptions of its own: for a bucket that is not there, for
        # missing credentials, for a network that fails.
        told = " ".join(str(error).split()) or type(error).__name__
        raise WrongOption(
            "INPUT",
            f"{displayed(argument)} cannot be listed ({told})",
            "check its name, the permissions or credentials, and the network",
        ) from error


def _inputs_of(argument: str, column: str, indices: archives.Indices) -> Iterator[Input]:
    if storage.is_pattern(argument):
        for found in storage.matching(argument):
            if not _is_companion(found.name):
                yield from _of_file(found, column, indices, alone=False)
    elif storage.is_folder(argument):
        for found in storage.files_below(argument):
            # A folder is given by its name if it cannot be listed.
            if _is_image(found.name) or storage.is_local_folder(found.name):
                yield _whole(found, indices)
    elif storage.exists(argument) or os.path.lexists(argument):
        yield from _of_file(storage.Found(argument), column, indices, alone=True)
    else:
        raise WrongOption("INPUT", f"{displayed(argument)} does not exist", "correct the path")


def _of_file(
    found: storage.Found, column: str, indices: archives.Indices, *, alone: bool
) -> Iterator[Input]:
    name = found.name
    lower = storage.inner_name(name).lower()
    if lower.endswith(_COMPRESSED):
        raise WrongOption(
            "INPUT",
            f"{displayed(name)} is compressed, and its images cannot be read one by one",
            "decompress it to a plain .tar; images hardly compress",
        )
    if lower.endswith(archives.SUFFIX):
        yield from _of_archive(name, alone=alone)
    elif lower.endswith(manifest.SUFFIXES):
        for location, ours in manifest.locations(name, column):
            yield _of_row(name, location, indices, ours=ours)
    else:
        yield _whole(found, indices)


def _of_archive(name: str, *, alone: bool) -> Iterator[Input]:
    """The members; where the archive breaks off, a row that says so, after what comes before."""
    file = storage.absolute(name)
    empty = True
    try:
        for member in archives.members(name):
            if _is_image(member.name):
                empty = False
                path = displayed(f"tar://{member.name}::{name}")
                yield Input(path, file, member.offset, member.size)
    except archives.Damaged as error:
        if alone and empty:
            raise WrongOption("INPUT", f"{displayed(name)} is {error}", "check the file") from error
        yield Input(displayed(name), file, error=f"it is {error}")


def _of_row(manifest_name: str, location: str, indices: archives.Indices, *, ours: bool) -> Input:
    """What a row of a manifest names.

    Relative paths start at the manifest. In an output of this command they start at the working
    directory, as they did in the run that wrote them, and names that are no text are escaped.
    """
    beside = storage.beside(manifest_name, location)
    meanings = [location, beside, _unescaped(location)] if ours else [beside]
    for meaning in meanings:
        member = _member(displayed(location), meaning, indices)
        if member is not None:
            return member
    existing = (
        meaning
        for meaning in meanings
        if len(meanings) == 1 or storage.is_remote(meaning) or os.path.lexists(meaning)
    )
    return Input(displayed(location), storage.absolute(next(existing, meanings[0])))


def _unescaped(text: str) -> str:
    """Undoes `displayed` where it escaped bytes."""

    def byte(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 16)])

    try:
        return os.fsdecode(re.sub(rb"\\x([89a-f][0-9a-f])", byte, os.fsencode(text)))
    except UnicodeEncodeError:  # no file's name
        return text


def _is_image(name: str) -> bool:
    suffixed = storage.inner_name(name).lower()
    return suffixed.endswith(IMAGE_SUFFIXES) and not _is_companion(name)


def _is_companion(name: str) -> bool:
    """Whether macOS put it beside a file, to hold what other systems have no place for."""
    *folders, last = storage.inner_name(name).split("/")
    return last.startswith("._") or "__MACOSX" in folders


def _whole(found: storage.Found, indices: archives.Indices) -> Input:
    path = displayed(found.name)
    member = _member(path, found.name, indices)
    return member or Input(path, storage.absolute(found.name), length=found.size)


def _member(path: str, url: str, indices: archives.Indices) -> Input | None:
    """The member of a plain tar archive that a URL names; None if it names none."""
    member = indices.find(url, displayed)
    if member is None:
        return None
    archive, offset, size = member
    if offset is None:
        return Input(path, archive, error="the archive holds no such member")
    return Input(path, archive, offset, size)


def _digest(found: Input) -> bytes:
    key = f"{found.file}\0{found.offset}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(key, digest_size=16).digest()


def _no_image(argument: str) -> WrongOption:
    return WrongOption(
        "INPUT",
        f"{displayed(argument)} holds no image",
        f"in folders and archives, names that end in {', '.join(IMAGE_SUFFIXES)} count",
    )
