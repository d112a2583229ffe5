"""The command's INPUT arguments, turned into one list of inputs."""

import hashlib
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from senet_client.score import manifest, storage
from senet_client.score.failures import WrongOption

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
        length: of the image in bytes; None for a whole file.
    """

    path: str
    file: str
    offset: int | None = None
    length: int | None = None

    def read(self, max_bytes: int) -> bytes:
        """The encoded image.

        Raises:
            ImageError: if it cannot be read or has more than `max_bytes` bytes.
        """
        return storage.read(self.file, self.offset, self.length, max_bytes)


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
        yield from _inputs_of(argument, column)
    except Exception as error:
        # Every remote file system has exceptions of its own: for a bucket that is not there, for
        # missing credentials, for a network that fails.
        if isinstance(error, WrongOption) or not storage.is_remote(argument):
            raise
        told = " ".join(str(error).split()) or type(error).__name__
        raise WrongOption(
            "INPUT",
            f"{argument} cannot be listed ({told})",
            "check the URL, the credentials and the network",
        ) from error


def _inputs_of(argument: str, column: str) -> Iterator[Input]:
    if storage.is_pattern(argument):
        for name in storage.matching(argument):
            yield from _of_file(name, column)
    elif storage.is_folder(argument):
        try:
            for name in storage.files_below(argument):
                if name.lower().endswith(IMAGE_SUFFIXES):
                    yield _whole(name)
        except OSError as error:
            raise WrongOption(
                "INPUT",
                f"{displayed(str(error.filename or argument))} cannot be read ({error.strerror})",
                "correct its permissions or leave it out",
            ) from error
    elif storage.exists(argument):
        yield from _of_file(argument, column)
    else:
        raise WrongOption("INPUT", f"{displayed(argument)} does not exist", "correct the path")


def _of_file(name: str, column: str) -> Iterator[Input]:
    lower = name.lower()
    if lower.endswith(_COMPRESSED):
        raise WrongOption(
            "INPUT",
            f"{displayed(name)} is compressed, and its images cannot be read one by one",
            "decompress it to a plain .tar; images hardly compress",
        )
    if lower.endswith(".tar"):
        yield from _of_archive(name)
    elif lower.endswith(manifest.SUFFIXES):
        for location in manifest.locations(name, column):
            yield Input(displayed(location), storage.absolute(storage.beside(name, location)))
    else:
        yield _whole(name)


def _of_archive(name: str) -> Iterator[Input]:
    file = storage.absolute(name)
    try:
        with (
            storage.open_file(name) as opened,
            tarfile.open(
                fileobj=opened, mode="r:", encoding="utf-8", errors="surrogateescape"
            ) as archive,
        ):
            for member in archive:
                if member.isreg() and member.name.lower().endswith(IMAGE_SUFFIXES):
                    path = displayed(f"tar://{member.name}::{name}")
                    yield Input(path, file, member.offset_data, member.size)
                # Members are kept by the archive object otherwise, a million of them too.
                archive.members = []  # type: ignore[attr-defined]  # documented, not in the stubs
    except (OSError, tarfile.TarError) as error:
        raise WrongOption(
            "INPUT", f"{displayed(name)} is no readable tar archive ({error})", "check the file"
        ) from error


def _whole(name: str) -> Input:
    return Input(displayed(name), storage.absolute(name))


def _digest(found: Input) -> bytes:
    key = f"{found.file}\0{found.offset}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(key, digest_size=16).digest()


def _no_image(argument: str) -> WrongOption:
    return WrongOption(
        "INPUT",
        f"{displayed(argument)} holds no image",
        f"in folders and archives, names that end in {', '.join(IMAGE_SUFFIXES)} count",
    )
