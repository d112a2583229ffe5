"""Whether a read failed for the file's own sake, or because its storage is out of reach."""

import errno
import tarfile
import zipfile
import zlib

# The file is not there, may not be read, or is not one.
_OF_THE_FILE = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
        *(errno.EACCES, errno.EPERM, errno.EINVAL, errno.EILSEQ, errno.ENXIO, errno.EEXIST),
    }
)
_OF_ITS_CONTENTS = (
    ValueError,
    LookupError,
    EOFError,
    RuntimeError,  # zipfile's, of a member that is encrypted or of a compression it does not know
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
)
_TRY_AGAIN = frozenset({408, 425, 429})


def is_outage(error: BaseException) -> bool:
    """Whether the same read may well succeed later.

    "Not there" and "not allowed" are the file's own, and so are contents that cannot be read.
    Connections, timeouts, statuses 5xx, and whatever else a storage raises, are not: no row may
    hold an error that is none of its image's.

    Args:
        error: what the read raised.
    """
    status = _status(error)
    if status is not None:
        return status >= 500 or status in _TRY_AGAIN
    if error.__cause__ is not None and not isinstance(error, ConnectionError | TimeoutError):
        # fsspec says "not found" of servers that do not answer.
        return is_outage(error.__cause__)
    if isinstance(error, OSError):
        return (
            not isinstance(error, _OF_ITS_CONTENTS)
            and error.errno not in _OF_THE_FILE
            and (not isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError))
        )
    return not isinstance(error, _OF_ITS_CONTENTS)


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error tells of, in the ways of aiohttp, Azure's, Google's, AWS's."""
    for name in ("status", "status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and 100 <= value < 600:
            return value
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        value = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return value if isinstance(value, int) else None
    return None
