from senet.training.epoch_lines import EpochLines


def test_a_line_tells_what_an_epoch_brought_and_how_long_the_rest_takes() -> None:
    lines: list[str] = []
    tell = EpochLines(4, lines.append)
    entry = {"epoch": 1, "loss": 1.23456, "learning_rate": 0.002, "seconds": 90.0}
    tell(entry)
    gates = {"gate_spread": {"a": 0.0002, "b": 0.12}, "dead_blocks": ["a"]}
    tell(entry | {"epoch": 3, "top1": 0.875, "seconds": 30.0} | gates)
    tell(entry | {"epoch": 4})
    assert lines[0] == "epoch 1/4  loss 1.235  learning rate 0.002  4 min left"
    assert lines[1] == (
        "epoch 3/4  loss 1.235  top-1 87.50%  learning rate 0.002  gates 0.000 to 0.120  1 dead"
        "  1 min left"
    )
    assert lines[2].endswith("learning rate 0.002")
