"""The command's INPUT arguments, turned into one list of inputs."""

import hashlib
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from senet_client.score import archives, braces, manifest, parquet_images, stdin, storage
from senet_client.score.failures import ScoreError, WrongOption
from senet_client.score.inputs import Input
from senet_client.score.names import (
    IMAGE_SUFFIXES,
    displayed,
    is_companion,
    is_image,
    unescaped,
)
from senet_client.score.outages import is_outage

_ZIP = ".zip"
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")


@dataclass(frozen=True, slots=True)
class _Reader:
    """How an argument is read.

    Attributes:
        column: the manifests' column that names or holds the images.
        keep: their columns that are kept.
        indices: of tar archives.
    """

    column: str
    keep: tuple[str, ...]
    indices: archives.Indices


def list_inputs(arguments: Sequence[str], column: str, keep: Sequence[str] = ()) -> Iterator[Input]:
    """Lists the inputs, in an order that depends on nothing but their names.

    Within one argument everything that is listed is an input, so that a manifest that names an
    image twice gets two rows. What an earlier argument has listed already is left out.

    Args:
        arguments: files, folders, patterns, manifests, archives; paths or URLs. With numbers in
            braces they stand for several; `-` is a list on standard input.
        column: the manifests' column that names the images, or in Parquet holds them.
        keep: columns of the manifests whose values go with the inputs.

    Raises:
        WrongOption: if an argument leads to no image.
    """
    listed: set[bytes] = set()
    arguments = [name for argument in arguments for name in _names(argument)]
    reader = _Reader(column, tuple(keep), archives.Indices())
    for argument in arguments:
        here: list[bytes] = []
        empty = True
        for found in _of_argument(argument, reader):
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


def _names(argument: str) -> Iterable[str]:
    """What an argument with braces stands for, unless something has that very name."""
    braced = "{" in argument and not os.path.lexists(argument)
    return braces.expanded(argument) if braced else [argument]


def _of_argument(argument: str, reader: _Reader) -> Iterator[Input]:
    try:
        yield from _inputs_of(argument, reader)
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


def _inputs_of(argument: str, reader: _Reader) -> Iterator[Input]:
    if argument == stdin.ARGUMENT:
        for name in stdin.names():
            yield _of_row("", manifest.Entry(name, (), ours=False), reader)
    elif storage.is_pattern(argument):
        for found in storage.matching(argument):
            if not is_companion(found.name):
                yield from _of_file(found, reader, alone=False)
    elif (place := parquet_images.of_name(argument)) is not None:
        yield _in_parquet(argument, *place)
    elif storage.is_folder(argument):
        for found in storage.files_below(argument):
            # A folder is given by its name if it cannot be listed.
            if is_image(found.name) or storage.is_local_folder(found.name):
                yield _whole(found, reader)
    elif storage.exists(argument) or os.path.lexists(argument):
        yield from _of_file(storage.Found(argument), reader, alone=True)
    else:
        raise WrongOption("INPUT", f"{displayed(argument)} does not exist", "correct the path")


def _of_file(found: storage.Found, reader: _Reader, *, alone: bool) -> Iterator[Input]:
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
    elif lower.endswith(_ZIP):
        yield from _of_zip(name, reader, alone=alone)
    elif lower.endswith(manifest.SUFFIXES):
        entries = manifest.entries(name, reader.column, reader.keep)
        for number, entry in enumerate(entries):
            if entry.location is None:
                path = displayed(parquet_images.name_of(name, reader.column, number))
                yield replace(
                    _in_parquet(path, name, reader.column, number), kept=entry.kept or None
                )
            else:
                yield _of_row(name, entry, reader)
    else:
        yield _whole(found, reader)


def _of_zip(name: str, reader: _Reader, *, alone: bool) -> Iterator[Input]:
    """The members of a zip archive; a damaged one of several is a row."""
    try:
        members = list(storage.files_below(f"zip://::{name}"))
    except (ValueError, zipfile.BadZipFile, OSError, EOFError) as error:
        if alone or is_outage(error):
            raise
        yield Input(
            displayed(name),
            storage.absolute(name),
            error=f"not a readable zip archive ({error})",
        )
        return
    for member in members:
        if is_image(member.name):
            yield _whole(member, reader)


def _in_parquet(path: str, file: str, column: str, row: int) -> Input:
    return Input(path, storage.absolute(file), column=column, row=row)


def _of_archive(name: str, *, alone: bool) -> Iterator[Input]:
    """The members; where the archive breaks off, a row that says so, after what comes before."""
    file = storage.absolute(name)
    empty = True
    try:
        for member in archives.members(name):
            if is_image(member.name):
                empty = False
                path = displayed(f"tar://{member.name}::{name}")
                yield Input(path, file, member.offset, member.size)
    except archives.Damaged as error:
        if alone and empty:
            raise WrongOption("INPUT", f"{displayed(name)} is {error}", "check the file") from error
        yield Input(displayed(name), file, error=f"it is {error}")


def _of_row(manifest_name: str, entry: manifest.Entry, reader: _Reader) -> Input:
    """What a row of a manifest names.

    Relative paths start at the manifest. In an output of this command they start at the working
    directory, as they did in the run that wrote them, and names that are not text are escaped.
    """
    location = str(entry.location)
    beside = storage.beside(manifest_name, location)
    meanings = [location, beside, unescaped(location)] if entry.ours else [beside]
    path = displayed(location)
    for meaning in meanings:
        member = _member(path, meaning, reader)
        if member is not None:
            return replace(member, kept=entry.kept or None)
    existing = (
        meaning
        for meaning in meanings
        if len(meanings) == 1 or storage.is_remote(meaning) or os.path.lexists(meaning)
    )
    return Input(path, storage.absolute(next(existing, meanings[0])), kept=entry.kept or None)


def _whole(found: storage.Found, reader: _Reader) -> Input:
    path = displayed(found.name)
    member = _member(path, found.name, reader)
    return member or Input(path, storage.absolute(found.name), length=found.size)


def _member(path: str, url: str, reader: _Reader) -> Input | None:
    """What a URL names within a plain tar archive or a Parquet file; None if it names none."""
    place = parquet_images.of_name(url)
    if place is not None:
        return _in_parquet(path, *place)
    member = reader.indices.find(url, displayed)
    if member is None:
        return None
    archive, offset, size = member
    if offset is None:
        return Input(path, archive, error="the archive holds no such member")
    return Input(path, archive, offset, size)


def _digest(found: Input) -> bytes:
    key = f"{found.file}\0{found.offset}\0{found.column}\0{found.row}"
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _no_image(argument: str) -> WrongOption:
    return WrongOption(
        "INPUT",
        f"{displayed(argument)} holds no image",
        f"in folders and archives, names that end in {', '.join(IMAGE_SUFFIXES)} count",
    )
