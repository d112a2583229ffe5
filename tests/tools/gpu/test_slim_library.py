"""A library keeps the code of one kind of card, at its place, and nothing else of it."""

import struct

import pytest

from tools.gpu.slim_library import Entry, entries, slimmed

PTX, MACHINE_CODE = 1, 2
HEADER, ENTRY_HEADER = 16, 64


def entry(kind: int, capability: int, content: bytes) -> bytes:
    head = struct.pack("<HHIQ", kind, 0, ENTRY_HEADER, len(content)).ljust(28, b"\0")
    return (head + struct.pack("<I", capability)).ljust(ENTRY_HEADER, b"\0") + content


def fat_binary(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, HEADER, len(body)) + body


LIBRARY = (
    b"code of the processor, in which the number \x50\xed\x55\xba occurs too: it is no header"
    + fat_binary(entry(MACHINE_CODE, 80, b"a" * 40), entry(MACHINE_CODE, 90, b"b" * 24))
    + b"more"
    + fat_binary(entry(MACHINE_CODE, 90, b"c" * 8), entry(PTX, 90, b"d" * 16))
    + b"end"
)


def test_all_entries_are_found() -> None:
    found = [(e.is_machine_code, e.capability, LIBRARY[e.start : e.start + e.size])
             for e in entries(LIBRARY)]  # fmt: skip
    assert found == [
        (True, 80, b"a" * 40),
        (True, 90, b"b" * 24),
        (True, 90, b"c" * 8),
        (False, 90, b"d" * 16),
    ]


def test_what_the_card_does_not_run_is_zeroed_and_nothing_moves() -> None:
    slim = slimmed(LIBRARY, 90)
    assert slim == LIBRARY.replace(b"a" * 40, bytes(40)).replace(b"d" * 16, bytes(16))
    assert list(entries(slim)) == list(entries(LIBRARY))
    assert isinstance(next(entries(slim)), Entry)


def test_a_library_without_code_for_the_card_is_refused() -> None:
    with pytest.raises(ValueError, match=r"compute capability 12\.0"):
        slimmed(LIBRARY, 120)
