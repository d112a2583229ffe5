"""The chaos run, in small."""

from pathlib import Path

import pytest

from tools.reliability.chaos.run import chaos


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on broken metadata
async def test_good_clients_get_their_answers_and_nothing_is_left_over(repository: Path) -> None:
    tally, done = await chaos(repository, "colours", seconds=5.0, clients=12)
    assert tally.wrong == []
    assert tally.checked > 0
    assert set(done) == {"good", "mixed", "bad_image", "leaves", "slow_body", "slow_head"}
