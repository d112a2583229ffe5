"""The table of what the SE blocks cost."""

import pytest

from senet import networks
from senet.blocks import BasicBlock
from senet.resnet import ResNetDesign
from senet.twins import main


def test_the_twins_costs_stand_side_by_side(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    design = ResNetDesign(BasicBlock, (1, 1, 1, 1), (8, 8, 16, 16), reduction=4, stem=(8,))
    monkeypatch.setitem(networks.RESNETS, "se_tiny", design)

    main(["se_tiny", "--size", "32", "--rounds", "2"])

    heading, *lines, note = capsys.readouterr().out.splitlines()
    assert heading.split() == ["se_tiny,", "32", "px", "plain", "SE", "SE/plain"]
    figures = {line[:32].strip(): [float(cell) for cell in line[32:].split()] for line in lines}
    assert list(figures) == [
        "parameters (M)", "multiply-adds (M)",
        "milliseconds, batch of 1", "milliseconds, batch of 8",
    ]  # fmt: skip
    # Four SE blocks of C channels and C / 4 hidden units: C**2 / 2 weights and C * 5 / 4 biases.
    added = 2 * (8 * 8 / 2 + 10) + 2 * (16 * 16 / 2 + 20)
    plain, se, ratio = figures["parameters (M)"]
    assert se - plain == pytest.approx(added / 1e6, abs=0.001)
    assert ratio == pytest.approx(se / plain, abs=0.1)
    for name in ("milliseconds, batch of 1", "milliseconds, batch of 8"):
        assert min(figures[name]) > 0
    assert note.startswith("median of 2 alternating runs; ")


@pytest.mark.parametrize(
    "arguments", [["senet154"], ["resnet50"], ["--size", "0"], ["--rounds", "0"]]
)
def test_a_mistake_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)

    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err
