"""What is left of the memory for requests."""

import pytest

from app.contract.errors import ConfigurationError
from app.inference.budget import Budget

MIB = 2**20


def budget(
    limit: int | None, max_image_pixels: int = 40_000_000, threads: int = 3, records: int = 0
) -> Budget:
    return Budget(
        limit_bytes=limit and limit * MIB,
        resident_bytes=120 * MIB,
        threads=threads,
        decoded_bytes=20 * MIB,
        recorded_bytes=records * MIB,
        max_body_bytes=32 * MIB,
        max_image_pixels=max_image_pixels,
    )


def test_without_a_limit_requests_may_hold_what_is_set() -> None:
    assert budget(None).for_requests(0) == 512 * MIB
    assert budget(None).for_requests(100 * MIB) == 100 * MIB


def test_under_a_limit_they_get_what_is_left() -> None:
    # Nine tenths of it, less the process, a large image, two others and the decoded ones.
    assert budget(1000).for_requests(0) == (900 - 120 - 256 - 2 * 32 - 20) * MIB
    assert budget(8000).for_requests(0) == 512 * MIB


def test_what_cannot_fit_is_refused_with_the_figures() -> None:
    with pytest.raises(ConfigurationError, match="512 MiB") as raised:
        budget(512).for_requests(0)
    assert raised.value.option == "max_body_bytes"
    assert "120 MiB" in str(raised.value)
    with pytest.raises(ConfigurationError, match="need 450 MiB") as raised:
        budget(1000).for_requests(450 * MIB)
    assert raised.value.option == "max_buffered_bytes"


def test_records_take_their_part_and_are_named_where_they_are_too_much() -> None:
    without = budget(700)
    assert budget(700, records=64).for_requests(0) == without.for_requests(0) - 64 * MIB
    left = without.for_requests(0)
    with pytest.raises(ConfigurationError, match="records 64 MiB") as raised:
        budget(700, records=64).for_requests(left)
    assert raised.value.option == "records_uri"
    assert "leave records_uri out" in str(raised.value)
    with pytest.raises(ConfigurationError) as raised:
        budget(700, records=64).for_requests(left + 1)
    assert raised.value.option == "max_buffered_bytes"
    before, now = without.for_models(0), budget(700, records=64).for_models(0)
    assert before is not None
    assert now is not None
    assert (before[0] - now[0], "records 64 MiB" in now[1]) == (64 * MIB, True)


def test_smaller_images_leave_more() -> None:
    # Two megapixels take 24 MB in each of the three threads.
    left = int(0.9 * 512 * MIB) - 120 * MIB - 3 * 24_000_000 - 20 * MIB
    assert budget(512, 2_000_000).for_requests(0) == left


def test_many_threads_share_what_decoding_may_take() -> None:
    assert budget(None, threads=33).beside_others_bytes == 32 * MIB
    assert budget(1024, threads=33).beside_others_bytes == 4 * MIB
    assert budget(1024, threads=1).beside_others_bytes == 32 * MIB
    assert budget(1024, threads=33).for_requests(0) > 300 * MIB
