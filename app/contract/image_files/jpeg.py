"""JPEG: the segments and scans that a decoder needs, and nothing else.

A guard that reads a file beside the decoder can be made to read it differently. So the file is
written anew from what was read here: without fill bytes, stray markers, metadata and whatever
follows the image, there is nothing left that the two could disagree about.
"""

import re
from dataclasses import dataclass
from itertools import product

from app.contract.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat

END = b"\xff\xd9"
# The usual progressive JPEG has ten scans; each costs a pass over the whole picture.
_MOST_SCANS = 24
# One step of the loop below each. A file of 32 MiB in the largest segments has 512.
_MOST_SEGMENTS = 20_000
# libjpeg's JPEG_MAX_DIMENSION.
_LONGEST_SIDE = 65_500
_START, _END, _SCAN, _TABLE_OF_LINES = 0xD8, 0xD9, 0xDA, 0xDC
_STANDALONE = frozenset({0x01, _START, *range(0xD0, 0xD8)})
_EXIF, _XMP = b"Exif\x00\x00", b"http://ns.adobe.com/xap/1.0/\x00"
# Huffman, quantisation and arithmetic tables, restart interval, and what names the colours.
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Baseline, extended and progressive, with Huffman and with arithmetic coding (T.81, table B.1).
_DECODED_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_STEP_BYTES = 1 << 16
_MARKER = re.compile(rb"\xff[^\x00\xff]")
# Stuffed zeros, fill bytes and restarts occur inside of a scan's data.
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


@dataclass(frozen=True, slots=True)
class JpegFile:
    """A JPEG with one image and little else.

    Attributes:
        data: from its start marker to its end marker, if it has one.
        ended: whether it has one; if not, it may have been cut off within its last scan.
    """

    data: bytes
    ended: bool


def read_jpeg(data: bytes) -> JpegFile:
    """Reads an image's segments and scans (ITU T.81, annex B) and writes them anew.

    Orientation (EXIF, XMP) is kept; other metadata, further images and what else follows is not.

    Raises:
        UnsupportedImageFormat: if it is of a kind that the decoder does not know.
        ImageTooLarge: if a side is longer than the decoder takes.
        InvalidImage: if it ends before its first scan or within a segment, or has absurdly many
            scans or segments.
    """
    view = memoryview(data)
    parts: list[bytes | memoryview] = [b"\xff\xd8"]
    at, segments, scans, ended = 2, 0, 0, False
    oriented: set[bytes] = set()
    components, refined = 0, set[tuple[int, int]]()
    while found := _search(_MARKER, data, at):
        marker, start = found[0][1], found.start()
        at = found.end()
        segments += 1
        if segments > _MOST_SEGMENTS:
            raise InvalidImage(f"a JPEG of more than {_MOST_SEGMENTS} segments")
        if marker == _END:
            ended = True
            break
        if marker in _STANDALONE:
            continue
        body = at + 2
        at += max(2, int.from_bytes(view[at:body], "big"))
        if at > len(data):
            raise InvalidImage("truncated JPEG image: it ends within a segment")
        if marker == 0xE1:
            kind = next((kind for kind in (_EXIF, _XMP) if data.startswith(kind, body)), None)
            if kind and kind not in oriented:
                oriented.add(kind)
                parts.append(view[start:at])
        elif marker in _TABLES:
            parts.append(view[start:at])
        elif marker in _FRAMES:
            components = _check_frame(marker, data[body:at])
            parts.append(view[start:at])
        elif marker == _SCAN:
            scans += 1
            if scans > _MOST_SCANS:
                raise InvalidImage(f"a JPEG of more than {_MOST_SCANS} scans")
            refined |= _refined(data[body:at])
            after = _search(_END_OF_SCAN, data, at)
            at = after.start() if after else len(data)
            parts.append(view[start:at])
    if not scans:
        raise InvalidImage("truncated JPEG image: it holds no scan")
    if not ended and len(refined) < 64 * components:
        raise InvalidImage("truncated JPEG image: scans are missing")
    if ended:
        return JpegFile(b"".join([*parts, END]), ended)
    # Half an end marker would give the first byte of what is appended another meaning.
    return JpegFile(b"".join(parts).rstrip(b"\xff"), ended)


def _search(pattern: re.Pattern[bytes], data: bytes, at: int) -> re.Match[bytes] | None:
    """Finds two bytes, in steps: a search holds the interpreter lock from beginning to end."""
    while at < len(data) and not (found := pattern.search(data, at, at + _STEP_BYTES)):
        at += _STEP_BYTES - 1
    return found if at < len(data) else None


def _refined(scan: bytes) -> set[tuple[int, int]]:
    """Which coefficients of which components are exact after a scan (T.81, B.2.3).

    Args:
        scan: its header, after the length.
    """
    if len(scan) < 4 or len(scan) != 4 + 2 * scan[0]:
        raise InvalidImage("corrupt JPEG image: a scan header is malformed")
    first, last, approximation = scan[-3:]
    if approximation & 15:
        return set()
    return set(product(scan[1:-3:2], range(first, min(last, 63) + 1)))


def _check_frame(marker: int, frame: bytes) -> int:
    """Refuses what libjpeg or Pillow does not decode (T.81, B.2.2).

    Args:
        marker: the frame's kind.
        frame: its header, after the length.

    Returns:
        How many components it has.
    """
    if marker not in _DECODED_FRAMES:
        raise UnsupportedImageFormat("a lossless, differential or hierarchical JPEG")
    if len(frame) < 6 or len(frame) != 6 + 3 * frame[5]:
        raise InvalidImage("corrupt JPEG image: its frame header is malformed")
    if frame[0] != 8:
        raise UnsupportedImageFormat(f"a JPEG of {frame[0]} bits a sample; 8 are accepted")
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    if not width:
        raise InvalidImage("corrupt JPEG image: it has no width")
    if not height:
        raise UnsupportedImageFormat("a JPEG that gives its height after its pixels")
    if max(height, width) > _LONGEST_SIDE:
        raise ImageTooLarge(
            f"{width} x {height} pixels; a JPEG's sides may have {_LONGEST_SIDE} at most"
        )
    if frame[5] not in (1, 3, 4):
        raise UnsupportedImageFormat(f"a JPEG of {frame[5]} components; 1, 3 or 4 are accepted")
    for factors in ([f >> 4 for f in frame[7::3]], [f & 15 for f in frame[7::3]]):
        if any(not factor or max(factors) % factor for factor in factors):
            raise UnsupportedImageFormat("a JPEG with fractional sampling of a component")
    return frame[5]
