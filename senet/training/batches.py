"""Batches as a pure function of (seed, epoch, step): nothing to save for a resume."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from app.contract.manifest import Preprocessing
from senet.training import schedule
from senet.training.augment import augment, mix
from senet.training.options import TrainingOptions
from senet.training.photos import TrainingPhotos


@dataclass(frozen=True)
class Batches:
    """The augmented batches of a training.

    Attributes:
        photos: what to draw from.
        classes: number of classes.
        options: the training's options.
    """

    photos: TrainingPhotos
    classes: int
    options: TrainingOptions

    @property
    def steps(self) -> int:
        """Full batches in an epoch; the photos left over differ from epoch to epoch."""
        return len(self.photos.targets) // self.options.batch_size

    def at(self, done: int, shard: int) -> tuple[Tensor, Tensor]:
        """See `shard`, for a step counted from the training's beginning."""
        return self.shard(*divmod(done, self.steps), shard)

    def shard(self, epoch: int, step: int, shard: int) -> tuple[Tensor, Tensor]:
        """One thread's share of a batch.

        Args:
            epoch: from 0.
            step: in the epoch, from 0.
            shard: below `options.threads`.

        Returns:
            Normalised images, float32 [batch_size / threads, 3, side, side] in channels-last
            memory, and class probabilities, float32 [batch_size / threads, classes].
        """
        options = self.options
        side = schedule.image_size(epoch, options.epochs, options.size)
        order = np.random.default_rng((options.seed, epoch)).permutation(len(self.photos.targets))
        count = options.batch_size // options.threads
        start = step * options.batch_size + shard * count
        chosen = [int(index) for index in order[start : start + count]]
        crops = [
            augment(
                self.photos.images[index],
                side,
                np.random.default_rng((options.seed, epoch, index)),
                distortion=options.distortion,
            )
            for index in chosen
        ]
        images = normalise(np.stack(crops), options.preprocessing)
        classes = torch.tensor([self.photos.targets[index] for index in chosen])
        targets = functional.one_hot(classes, self.classes).float()
        rng = np.random.default_rng((options.seed, epoch, epoch * self.steps + step, shard))
        if schedule.mixes(epoch, options.epochs) and rng.random() < options.mixing:
            return mix(images, targets, rng)
        return images, targets


def normalise(
    images: NDArray[np.uint8] | NDArray[np.float32], preprocessing: Preprocessing
) -> Tensor:
    """[batch, height, width, 3] in 0..255 -> float32 [batch, 3, height, width], channels last."""
    mean = torch.tensor(preprocessing.mean) * 255
    std = torch.tensor(preprocessing.std) * 255
    return ((torch.from_numpy(images).float() - mean) / std).permute(0, 3, 1, 2)
