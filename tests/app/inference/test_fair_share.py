from app.inference.fair_share import FairShare


def fill(share: FairShare, holder: str) -> int:
    """Takes one at a time until no more fits; returns how many that were."""
    taken = 0
    while share.fits(1, holder):
        share.take(1, holder)
        taken += 1
    return taken


def test_a_lone_holder_gets_half() -> None:
    assert fill(FairShare(100), "a") == 50


def test_a_newcomer_finds_room_beside_greedy_holders() -> None:
    share = FairShare(100)
    fill(share, "a")
    fill(share, "b")

    assert share.fits(20, "newcomer")


def test_greedy_holders_come_to_equal_parts_as_they_give_back() -> None:
    share = FairShare(90)
    held = {"a": fill(share, "a"), "b": fill(share, "b")}
    # Each gives one back in turn and takes what it may, as clients do under load.
    for _ in range(200):
        for holder in held:
            share.give_back(1, holder)
            held[holder] += fill(share, holder) - 1

    assert abs(held["a"] - held["b"]) <= 1
    assert share.total < 90


def test_all_of_it_can_be_taken_at_once_when_nobody_holds_anything() -> None:
    share = FairShare(10)

    assert share.fits(10, "a")
    assert not share.fits(11, "a")


def test_the_capacity_is_never_exceeded() -> None:
    share = FairShare(10)
    for holder in map(str, range(30)):
        fill(share, holder)

    assert share.total == 10


def test_every_name_of_a_holder_is_bounded() -> None:
    share = FairShare(100)
    for client in map(str, range(50)):
        if share.fits(5, client, "bulk"):
            share.take(5, client, "bulk")

    assert share.total == 50


def test_what_is_given_back_can_be_taken_again() -> None:
    share = FairShare(10)
    share.take(10, "a")
    share.give_back(10, "a")

    assert share.total == 0
    assert share.fits(10, "b")
