"""What is usual for the gates of a class."""

import pytest

from senet_client import errors
from tests.conftest import Surface
from tests.fake_service import FakeService


def test_means_and_spreads_come_by_block(client: Surface) -> None:
    gates = client.class_gates("fake", 1, 0)
    assert (gates.label, gates.dataset, gates.photos) == ("class 0", "photos", 7)
    assert list(gates.blocks) == ["layer1.0", "layer2.0"]
    assert gates.blocks["layer1.0"].mean.tolist() == [0.25, 0.5]
    assert gates.blocks["layer1.0"].spread.tolist() == pytest.approx([0.1, 0])
    assert gates.blocks["layer2.0"].mean.tolist() == [1]


def test_what_an_export_did_not_keep_has_an_error_of_its_own(client: Surface) -> None:
    with pytest.raises(errors.OutputNotAvailable):
        client.class_gates("fake", "1", 2)
    with pytest.raises(errors.UnexpectedAnswer):
        client.class_gates("another", 1, 0)


@pytest.mark.parametrize(
    ("model", "version", "class_index", "named"),
    [("", 1, 0, "model"), ("fake", "", 0, "version"), ("fake", 1, "0", "class_index"),
     ("fake", 1, True, "class_index"), ("fake", 1.5, 0, "version")],
)  # fmt: skip
def test_a_mistake_is_named_before_anything_is_sent(
    client: Surface,
    service: FakeService,
    model: str,
    version: object,
    class_index: object,
    named: str,
) -> None:
    with pytest.raises(errors.InvalidArgument, match=named):
        client.class_gates(model, version, class_index)
    assert service.requests == []


def test_names_are_escaped(client: Surface, service: FakeService) -> None:
    with pytest.raises(errors.UnexpectedAnswer):
        client.class_gates("a/b?c", 1, 0)
    [(path, query, _)] = service.requests
    assert (path, query) == ("/models/a%2Fb%3Fc/versions/1/gates/0", {})
