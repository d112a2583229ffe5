"""The documents' commands are run one after the other, as a reader would, on a few drawn photos."""

import shutil
from pathlib import Path

import pytest
import torch

from scripts import compare, evaluate, export_onnx, hold_out, train
from senet import networks
from senet.gates import __main__ as gates
from tests.scripts.test_documented_commands import ROOT, commands
from tests.senet.sources.onnx_files import classifier, written
from tests.senet.training.conftest import COLOURS, draw

# What makes them quick: later options win.
SMALL_TRAINING = (
    "--epochs=3", "--size=32", "--evaluation-size=32", "--batch-size=6", "--threads=1",
)  # fmt: skip
# Networks of so little training say nothing of accuracy.
ANY_RESULT = ("--allow-untrained", "--min-agreement=0", "--min-speedup=0", "--max-accuracy-drop=99")
# timm has tests in its environment, the largest network takes minutes, and the default model knows
# no drawn photo, so that its command finds no temperature.
ELSEWHERE = ("timm/tf_mobilenetv3_small_100", "senet154", "models/imagenette/checkpoint.pt")


def documented(program: str) -> list[list[str]]:
    found = [arguments for name, arguments in commands() if name == program]
    return [words for words in found if not any(word in ELSEWHERE for word in words)]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the commands name."""
    ids = [line.split()[:3] for line in CLASSES.splitlines()]
    colours = list(COLOURS.values())
    for part, count in (("train", 12), ("val", 12)):
        for index, name in enumerate(COLOURS):
            for number in range(count):
                # A temperature is determined by errors: every fourth photo shows another class.
                shown = colours[(index + (number % 4 == 0)) % len(colours)]
                draw(tmp_path / "photos" / part / name / f"{number}.png", shown, number + index)
        for index, words in enumerate(ids):
            for number in range(count):
                shade = (20 * index, 200 - 20 * index, 120)
                draw(tmp_path / "imagenette" / part / words[1] / f"{number}.png", shade, number)
    (tmp_path / "classes.txt").write_text(CLASSES)
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in COLOURS))
    split = tmp_path / "docs" / "splits" / "imagenette_fitting.txt"
    split.parent.mkdir(parents=True)
    split.write_text("".join(f"{words[1]}/{number}.png\n" for words in ids for number in (0, 1)))
    default = tmp_path / "models" / "imagenette" / "checkpoint.pt"
    default.parent.mkdir(parents=True)
    shutil.copy(ROOT / "models" / "imagenette" / "checkpoint.pt", default)
    weights = networks.build("se_resnet50").state_dict()
    # All zero they would be those of normalisations that were folded into convolutions.
    statistics = {name: mean + 0.1 for name, mean in weights.items() if "running_mean" in name}
    torch.save(weights | statistics, tmp_path / "se_resnet50.pth")
    written(classifier(), tmp_path).rename(tmp_path / "network.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


CLASSES = "\n".join(
    f"{index} {name} {name}"
    for index, name in enumerate(
        (
            "n01440764", "n02102040", "n02979186", "n03000684", "n03028079", "n03394916",
            "n03417042", "n03425413", "n03445777", "n03888257",
        )
    )
) + "\n"  # fmt: skip


@pytest.mark.slow
def test_every_command_does_what_it_is_for(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hold_out.main(["--data", "imagenette", "--output", "runs/held-out"]) == 0
    for number, arguments in enumerate(documented("scripts.train")):
        output = arguments[arguments.index("--output") + 1]
        # Another run than the one that lies there.
        fresh = f"{output}-{number}" if Path(output).exists() else output
        head = ["--head-epochs=1"] if "--head-epochs" in arguments else []
        assert train.main([*arguments, *SMALL_TRAINING, *head, f"--output={fresh}"]) == 0, arguments
        assert Path(fresh, "best.pt").is_file()
        if output == "runs/flowers" and fresh == output:
            shutil.copytree(output, "runs/other")
    for arguments in documented("scripts.evaluate"):
        assert evaluate.main(arguments) == 0, arguments
    gated = ["runs/flowers/checkpoint.pt", "--photos", "photos/val", "--picture", "gates.svg"]
    assert gates.main(gated) == 0
    assert Path("gates.svg").is_file()
    for arguments in documented("scripts.export_onnx"):
        name = arguments[arguments.index("--name") + 1]
        version = len(list(Path("models", name).glob("*/manifest.json"))) + 1
        assert export_onnx.main([*arguments, *ANY_RESULT, f"--version={version}"]) == 0, arguments
        assert Path("models", name, str(version), "manifest.json").is_file()
    for arguments in documented("scripts.compare"):
        assert compare.main(arguments) == 0, arguments
    assert "agree" in capsys.readouterr().out
