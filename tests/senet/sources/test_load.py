"""Every kind of source gives a network that is ready for export, or one clear refusal."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export

from app.contract.errors import ConfigurationError
from app.contract.manifest import Label, Preprocessing
from senet import checkpoint, networks
from senet.heads import Heads
from senet.sources import PreprocessingOptions, SourceOptions, load_source

from .tiny import CLASSES, SIZE, TinyNet

ARCHITECTURE = "se_resnet_mini"
TINY = "tests.senet.sources.tiny"
FLAGS = PreprocessingOptions(
    resize_shorter_side=40,
    crop_height=SIZE,
    crop_width=SIZE,
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
)
LABELS = tuple(Label(index=index, id=f"c{index}", name=f"class {index}") for index in range(3))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"{label.index} {label.id} {label.name}\n" for label in LABELS))
    return path


@pytest.fixture
def mini(tmp_path: Path) -> tuple[nn.Module, Path]:
    """A drawn network of ours and the file of its state dict."""
    torch.manual_seed(0)
    network = networks.build(ARCHITECTURE, CLASSES).eval()
    path = tmp_path / "mini.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    return network, path


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[nn.Module, Path]:
    torch.manual_seed(0)
    network = TinyNet().eval()
    path = tmp_path / "tiny.pth"
    torch.save(network.state_dict(), path)
    return network, path


def saved_program(tmp_path: Path, network: nn.Module) -> Path:
    path = tmp_path / "tiny.pt2"
    example = (torch.randn(2, 3, SIZE, SIZE),)
    torch.export.save(export(network, example, dynamic_shapes=({0: Dim("batch")},)), path)
    return path


def assert_same_logits(actual: nn.Module, expected: nn.Module) -> None:
    images = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(actual(images), expected(images))


def trained(tmp_path: Path, network: nn.Module, architecture: str = ARCHITECTURE) -> Path:
    path = tmp_path / "trained.pt"
    preprocessing = Preprocessing(resize_shorter_side=36, crop_height=SIZE, crop_width=SIZE)
    weights = network.state_dict()
    checkpoint.save(
        path, checkpoint.Checkpoint(architecture, LABELS, preprocessing, weights, "drawn, seed 0")
    )
    return path


def test_our_checkpoint_brings_preprocessing_and_labels(
    tmp_path: Path, mini: tuple[nn.Module, Path]
) -> None:
    source = load_source(SourceOptions(checkpoint=trained(tmp_path, mini[0]), licence="CC0"))
    assert isinstance(source.network, nn.Module)
    assert not source.network.training
    assert_same_logits(source.network, mini[0])
    assert source.architecture == ARCHITECTURE
    assert source.labels == LABELS
    assert source.preprocessing.resize_shorter_side == 36
    # What the file was saved with: it has no geometry of its own.
    assert source.preprocessing.geometry == "exact"
    assert source.source.weights.startswith("drawn, seed 0; trained.pt (sha256:")
    assert source.source.licence == "CC0"


def test_flags_and_labels_file_win_over_the_checkpoint(
    tmp_path: Path, mini: tuple[nn.Module, Path]
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("0 a A\n1 b B\n2 c C\n")
    options = SourceOptions(
        checkpoint=trained(tmp_path, mini[0]),
        labels=names,
        preprocessing=PreprocessingOptions(
            geometry="torchvision", resize_shorter_side=50, interpolation="bicubic"
        ),
    )
    source = load_source(options)
    assert source.preprocessing.resize_shorter_side == 50
    assert source.preprocessing.interpolation == "bicubic"
    assert source.preprocessing.geometry == "torchvision"
    assert [label.name for label in source.labels] == ["A", "B", "C"]


def test_published_layout_has_the_authors_preprocessing(
    mini: tuple[nn.Module, Path], labels: Path
) -> None:
    network, path = mini
    source = load_source(SourceOptions(architecture=ARCHITECTURE, checkpoint=path, labels=labels))
    assert isinstance(source.network, nn.Module)
    assert_same_logits(source.network, network)
    assert source.preprocessing == Preprocessing(
        geometry="torchvision",
        resize_shorter_side=256,
        crop_height=224,
        crop_width=224,
        scaled_decoding=False,
    )
    assert source.source.weights.startswith("state_dict of mini.pth (sha256:")
    assert source.source.licence == "not stated"


def test_a_prefix_hides_neither_network_nor_classes(tmp_path: Path, labels: Path) -> None:
    network = networks.build(ARCHITECTURE, CLASSES).eval()
    path = tmp_path / "last.ckpt"
    weights = {f"model._orig_mod.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights | {"criterion.weight": torch.ones(CLASSES)}}, path)
    source = load_source(SourceOptions(architecture=ARCHITECTURE, checkpoint=path, labels=labels))
    assert isinstance(source.network, nn.Module)
    assert_same_logits(source.network, network)
    assert source.source.weights.startswith("model.* of state_dict of last.ckpt (sha256:")


def test_a_user_module_is_built_and_loaded(tiny: tuple[nn.Module, Path], labels: Path) -> None:
    network, path = tiny
    source = load_source(
        SourceOptions(module=f"{TINY}:TinyNet", checkpoint=path, labels=labels, preprocessing=FLAGS)
    )
    assert isinstance(source.network, nn.Module)
    assert_same_logits(source.network, network)
    assert source.architecture == f"{TINY}:TinyNet"
    assert source.preprocessing.mean == (0.5, 0.5, 0.5)
    assert source.preprocessing.geometry == "torchvision"
    assert not source.preprocessing.scaled_decoding
    assert source.labels == LABELS


def test_an_exported_program_gives_its_logits(
    tmp_path: Path, tiny: tuple[nn.Module, Path], labels: Path
) -> None:
    network, _ = tiny
    program = saved_program(tmp_path, network)
    source = load_source(SourceOptions(program=program, labels=labels, preprocessing=FLAGS))
    assert isinstance(source.network, ExportedProgram)
    heads = Heads(source.network, SIZE, SIZE)
    images = torch.randn(5, 3, SIZE, SIZE)
    torch.testing.assert_close(heads(images)[0], network(images))
    assert source.source.weights.startswith("tiny.pt2 (sha256:")


@pytest.mark.parametrize(
    "options",
    [
        SourceOptions(),
        SourceOptions(architecture=ARCHITECTURE),
        SourceOptions(timm="legacy_senet154"),
        SourceOptions(pretrained=True),
        SourceOptions(module="a:b"),
        SourceOptions(checkpoint=Path("f"), pretrained=True),
        SourceOptions(checkpoint=Path("f"), architecture="a", module="b:c"),
        SourceOptions(checkpoint=Path("f"), timm="a", pretrained=True),
        SourceOptions(checkpoint=Path("f"), program=Path("g")),
    ],
)
def test_contradicting_options_are_refused(options: SourceOptions) -> None:
    with pytest.raises(ConfigurationError, match="name no source, or more than one"):
        load_source(options)


def test_a_checkpoint_of_another_architecture_is_refused(
    mini: tuple[nn.Module, Path], labels: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"does not fit se_resnet18: .*layer0") as caught:
        load_source(SourceOptions(architecture="se_resnet18", checkpoint=mini[1], labels=labels))
    assert "\n" not in str(caught.value)


def test_an_unknown_architecture_lists_the_known(mini: tuple[nn.Module, Path]) -> None:
    with pytest.raises(
        ConfigurationError, match=r"unknown network 'alexnet'; give one of .*senet154"
    ):
        load_source(SourceOptions(architecture="alexnet", checkpoint=mini[1]))


def test_our_checkpoint_of_an_unknown_network_is_refused(
    tmp_path: Path, mini: tuple[nn.Module, Path]
) -> None:
    path = trained(tmp_path, mini[0], architecture="se_resnet_huge")
    with pytest.raises(ConfigurationError, match="unknown architecture 'se_resnet_huge'"):
        load_source(SourceOptions(checkpoint=path))


def test_bare_weights_ask_for_their_network(mini: tuple[nn.Module, Path]) -> None:
    with pytest.raises(
        ConfigurationError, match=r"not a checkpoint of this project.*--architecture"
    ):
        load_source(SourceOptions(checkpoint=mini[1]))


def test_labels_are_asked_for(mini: tuple[nn.Module, Path]) -> None:
    with pytest.raises(ConfigurationError, match=r"--labels: .*its 3 classes; give --labels FILE"):
        load_source(SourceOptions(architecture=ARCHITECTURE, checkpoint=mini[1]))


def test_labels_of_another_length_are_refused(tmp_path: Path, mini: tuple[nn.Module, Path]) -> None:
    short = tmp_path / "short.txt"
    short.write_text("0 a A\n1 b B\n")
    options = SourceOptions(architecture=ARCHITECTURE, checkpoint=mini[1], labels=short)
    with pytest.raises(ConfigurationError, match="has 2 lines, but the network has 3 classes"):
        load_source(options)


def test_preprocessing_is_asked_for_where_the_source_states_none(
    tiny: tuple[nn.Module, Path], labels: Path
) -> None:
    options = SourceOptions(
        module=f"{TINY}:TinyNet",
        checkpoint=tiny[1],
        labels=labels,
        preprocessing=replace(FLAGS, mean=None, crop_width=None),
    )
    with pytest.raises(ConfigurationError, match=r"give --crop-width, --mean$"):
        load_source(options)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (replace(FLAGS, resize_shorter_side=8), "may not exceed resize_shorter_side"),
        (replace(FLAGS, crop_width=0), "^--crop-width: "),
        (replace(FLAGS, std=(0.5, 0.0, 0.5)), "^--std: .*greater than 0"),
        (replace(FLAGS, mean=(0.5, float("nan"), 0.5)), "^--mean: nan is not within"),
        (
            replace(FLAGS, mean=(123.7, 116.3, 103.5)),
            r"^--mean: 123\.7 is not within 0\.\.1, .* 255",
        ),
        (replace(FLAGS, std=(58.4, 57.1, 57.4)), r"^--std: 58\.4 is not within"),
    ],
)
def test_wrong_preprocessing_is_refused(
    tiny: tuple[nn.Module, Path], labels: Path, flags: PreprocessingOptions, message: str
) -> None:
    options = SourceOptions(
        module=f"{TINY}:TinyNet", checkpoint=tiny[1], labels=labels, preprocessing=flags
    )
    with pytest.raises(ConfigurationError, match=message):
        load_source(options)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (TINY, "is not `package.module:factory`"),
        ("no_such_package.net:build", "cannot be imported .*ModuleNotFoundError"),
        (f"{TINY}:absent", "has no function 'absent'"),
        (f"{TINY}:CLASSES", "has no function 'CLASSES'"),
        (f"{TINY}:broken", r"failed \(OSError: no licence\)"),
        (f"{TINY}:not_a_network", "gave a str"),
        (f"{TINY}:NeedsBigImages", "--crop-height: the network fails on an image of 32 x 32"),
        (f"{TINY}:Greyscale", "images of one channel"),
        (f"{TINY}:TwoOutputs", "does not return one tensor of logits"),
    ],
)
def test_a_user_module_that_does_not_work_is_refused(
    tiny: tuple[nn.Module, Path], labels: Path, reference: str, message: str
) -> None:
    options = SourceOptions(
        module=reference, checkpoint=tiny[1], labels=labels, preprocessing=FLAGS
    )
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_source(options)
    assert "\n" not in str(caught.value)


def test_a_user_module_is_found_where_the_user_stands(
    tmp_path: Path, tiny: tuple[nn.Module, Path], labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "networks_of_a_user.py").write_text(
        "from tests.senet.sources.tiny import TinyNet\n\n\ndef build():\n    return TinyNet()\n"
    )
    monkeypatch.chdir(tmp_path)
    options = SourceOptions(
        module="networks_of_a_user:build", checkpoint=tiny[1], labels=labels, preprocessing=FLAGS
    )
    network = load_source(options).network
    assert isinstance(network, nn.Module)
    assert_same_logits(network, tiny[0])


def test_a_size_for_tests_is_timm_s_alone(mini: tuple[nn.Module, Path]) -> None:
    options = SourceOptions(architecture=ARCHITECTURE, checkpoint=mini[1], test_size=True)
    with pytest.raises(ConfigurationError, match=r"^--test-size: only timm states"):
        load_source(options)


def test_timm_is_asked_for_where_it_is_missing(
    mini: tuple[nn.Module, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An entry of None makes an import fail, whether or not the library is installed.
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigurationError, match="--timm: the timm library cannot be imported"):
        load_source(SourceOptions(timm="legacy_seresnet18", checkpoint=mini[1]))


@pytest.mark.parametrize("failure", ["RuntimeError('no operator nms')", "OSError('no lib.so')"])
def test_a_torchvision_of_another_build_is_told(
    mini: tuple[nn.Module, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    (tmp_path / "timm.py").write_text(f"raise {failure}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(ConfigurationError, match="torchvision of the same build as torch"):
        load_source(SourceOptions(timm="legacy_seresnet18", checkpoint=mini[1]))


def test_a_folder_may_stand_for_a_network_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "bert"}')
    for name in ("./mine", str(tmp_path / "mine")):
        with pytest.raises(ConfigurationError, match=r"^--hf-hub: .*config\.json names bert"):
            load_source(SourceOptions(hub=name))
