import numpy as np
import pytest

from senet.gates.block import BlockGates

VALUES = np.array([[0.2, 0.5], [0.4, 0.5], [0.6, 0.5], [0.8, 0.5]], np.float32)


def test_spread_is_over_photos_and_averaged_over_channels() -> None:
    block = BlockGates("layer1.0", VALUES)
    assert block.mean == pytest.approx(0.5)
    assert block.spread == pytest.approx((np.std([0.2, 0.4, 0.6, 0.8]) + 0) / 2)
    assert not block.dead


def test_channels_that_differ_do_not_make_a_block_alive() -> None:
    constant = np.tile(np.array([0.1, 0.9], np.float32), (5, 1))
    assert BlockGates("layer1.0", constant).dead


def test_a_class_has_the_gates_of_its_photos() -> None:
    targets = np.array([0, 1, 1, 0])
    block = BlockGates("layer1.0", VALUES).of_class(targets, 1)
    np.testing.assert_array_equal(block.values, VALUES[1:3])
