from xml.etree import ElementTree

import numpy as np

from senet.gates.block import BlockGates
from senet.gates.picture import role_of_excitation

_SVG = "{http://www.w3.org/2000/svg}"


def test_each_block_has_a_line_for_each_class_and_one_for_all() -> None:
    values = np.random.default_rng(0).random((6, 4), np.float32)
    blocks = [BlockGates("layer1.0", values), BlockGates("layer2.0", values)]
    picture = role_of_excitation(blocks, np.array([0, 0, 2, 2, 2, 0]), ["a", "absent", "<b> & c"])

    root = ElementTree.fromstring(picture)  # noqa: S314 - our own document
    assert len(root.findall(f".//{_SVG}polyline")) == 2 * 3
    texts = {text.text or "" for text in root.iter(f"{_SVG}text")}
    assert {"a", "<b> & c", "all photos"} <= texts
    assert "absent" not in texts


def test_photos_without_classes_give_the_line_of_all() -> None:
    block = BlockGates("layer1.0", np.full((3, 4), 0.5, np.float32))
    picture = role_of_excitation([block], np.empty(0, np.int64), ["a"])
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own document
    assert len(root.findall(f".//{_SVG}polyline")) == 1
