"""Batches are a function of their position and the seed."""

import numpy as np
import pytest
import torch

from senet.training.batches import Batches, normalise
from senet.training.options import TrainingOptions
from senet.training.photos import TrainingPhotos

# Eleven grey photos; photo i is filled with 20 * i and has class i % 3.
PHOTOS = TrainingPhotos(
    tuple(np.full((20, 24, 3), 20 * index, dtype=np.uint8) for index in range(11)),
    tuple(index % 3 for index in range(11)),
)


def batches(**options: object) -> Batches:
    chosen = {"data": "drawn", "size": 32, "batch_size": 4, "threads": 2, "epochs": 10} | options
    return Batches(PHOTOS, 3, TrainingOptions.model_validate(chosen))


def test_a_batch_depends_on_nothing_but_its_position_and_the_seed() -> None:
    first, again, reseeded = batches(), batches(), batches(seed=1)
    again.shard(0, 0, 0)

    torch.testing.assert_close(first.shard(3, 1, 1), again.shard(3, 1, 1), rtol=0, atol=0)
    assert not torch.equal(first.shard(3, 1, 1)[0], reseeded.shard(3, 1, 1)[0])
    assert not torch.equal(first.shard(3, 1, 1)[0], first.shard(4, 1, 1)[0])


def test_shapes_and_memory_are_as_the_network_wants_them() -> None:
    images, targets = batches().shard(9, 0, 0)

    assert images.shape == (2, 3, 32, 32)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert targets.shape == (2, 3)
    assert batches().shard(0, 0, 0)[0].shape == (2, 3, 20, 20)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_epoch_shows_each_photo_at_most_once(threads: int) -> None:
    # Unmixed, photos with their classes are 4, 4 and 3; two full batches of four hold eight.
    drawn = batches(mixing=0, threads=threads)
    seen = sum(
        drawn.shard(5, step, shard)[1].sum(0)
        for step in range(drawn.steps)
        for shard in range(threads)
    )

    assert drawn.steps == 2
    assert isinstance(seen, torch.Tensor)
    assert seen.sum() == 8
    assert torch.all(seen <= torch.tensor([4, 4, 3]))


def test_targets_are_mixed_except_in_the_last_epochs() -> None:
    drawn = batches(mixing=1)
    early = torch.cat([drawn.shard(epoch, 0, 0)[1] for epoch in range(8)])
    late = torch.cat([drawn.shard(9, step, shard)[1] for step in (0, 1) for shard in (0, 1)])

    assert ((early > 0.01) & (early < 0.99)).any()
    assert set(late.flatten().tolist()) == {0.0, 1.0}


def test_normalisation_is_that_of_the_preprocessing_contract() -> None:
    preprocessing = TrainingOptions(data="drawn").preprocessing
    images = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    images[0, 1, 0] = (255, 51, 0)

    normalised = normalise(images, preprocessing)

    expected = (torch.tensor([1.0, 0.2, 0.0]) - torch.tensor(preprocessing.mean)) / torch.tensor(
        preprocessing.std
    )
    torch.testing.assert_close(normalised[0, :, 1, 0], expected)
