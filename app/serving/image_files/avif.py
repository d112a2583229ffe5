"""AVIF: its brands."""

_BRANDS = frozenset({b"avif", b"avis"})
# A list of compatible brands has a dozen.
_MOST_BRAND_BYTES = 1024


def is_avif(data: bytes) -> bool:
    """Whether an AVIF brand is the file's major or a compatible one (ISO 14496-12, 4.3)."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), _MOST_BRAND_BYTES)
    return data[8:12] in _BRANDS or any(data[at : at + 4] in _BRANDS for at in range(16, end, 4))


def read_avif(data: bytes) -> bytes:
    """The file under an AVIF brand, for Pillow tells formats by the major one alone."""
    return data if data[8:12] in _BRANDS else b"".join([data[:8], b"avif", memoryview(data)[12:]])
