"""How many processes decode images."""

from app.hardware import available_cores
from app.settings import Settings

# Measured on 16 cores: threads of one process decode no more photos a second from here on, for the
# interpreter's lock holds them up (docs/gpu.md).
_MOST_THREADS_OF_A_PROCESS = 4
BYTES_PER_DECODER = 16 * 2**20
"""What a process that decodes adds to what all of them share."""
# The part of a memory limit that they may take together.
_SHARE_OF_DECODERS = 1 / 16


def decoder_count(settings: Settings, limit_bytes: int | None) -> int:
    """One for each thread that would decode; 0 where threads do.

    Args:
        settings: the options.
        limit_bytes: the container's memory limit; None if nothing limits it.
    """
    threads = settings.decode_threads or available_cores()
    if settings.decode_by != "auto":
        return threads if settings.decode_by == "processes" else 0
    is_enough = limit_bytes is None or (
        BYTES_PER_DECODER * threads <= _SHARE_OF_DECODERS * limit_bytes
    )
    return threads if is_enough and threads > _MOST_THREADS_OF_A_PROCESS else 0
