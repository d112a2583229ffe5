from pathlib import Path

import numpy as np
import pytest

from app.contract.errors import ConfigurationError
from senet.export.photos import Photos, labelled, read, unlabelled
from tests.senet.export.conftest import LABELS, PREPROCESSING, SIDE


def test_batches_keep_the_order_and_the_rest(drawn: Photos) -> None:
    batches = list(read(drawn, PREPROCESSING, batch_size=25))
    assert [len(batch) for batch in batches] == [25, 25, 10]
    assert batches[0].shape[1:] == (SIDE, SIDE, 3)
    alone = next(read(drawn.spread(2), PREPROCESSING, batch_size=2))
    np.testing.assert_array_equal(alone[1], batches[2][-1])


def test_a_spread_meets_every_class(drawn: Photos) -> None:
    few = drawn.spread(6)
    assert len(few) == 6
    assert set(few.targets) == {0, 1, 2}
    assert all(file.parent.name == f"c{k}" for file, k in zip(few.files, few.targets, strict=True))
    assert drawn.spread(1000).files == drawn.files


def test_folders_of_unknown_classes_are_refused_under_the_option(photo_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown class 'c2'") as refused:
        labelled("--evaluate", photo_folder, LABELS[:2])
    assert refused.value.option == "--evaluate"


def test_photos_of_no_class_are_found_in_any_folder(photo_folder: Path, tmp_path: Path) -> None:
    assert len(unlabelled("--photos", photo_folder)) == 60
    (tmp_path / "note.txt").write_text("no photo")
    with pytest.raises(ConfigurationError, match="no photo below"):
        unlabelled("--photos", tmp_path)
