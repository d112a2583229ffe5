"""Networks as the Hugging Face hub keeps them: from a folder, and from a stand-in of the hub."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

from app.contract.errors import ConfigurationError
from senet.sources import SourceOptions, load_source

from .drawn import drawn_images, drawn_network

NAME = "legacy_seresnet18"
CLASSES = ["tench", "great white shark", "cock"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = ("config.json", "model.safetensors")


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    return drawn_network(NAME, len(CLASSES))


@pytest.fixture
def folder(reference: nn.Module, tmp_path: Path) -> Path:
    """As timm writes it for the hub."""
    path = tmp_path / "network"
    hub = import_module("timm.models")
    config = {"label_names": CLASSES, "label_descriptions": {"cock": "cock, rooster"}}
    hub.save_for_hf(reference, path, model_config=config, safe_serialization=True)
    return path


def changed(folder: Path, **entries: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | entries))


def test_a_folder_brings_network_preprocessing_and_labels(
    folder: Path, reference: nn.Module
) -> None:
    config = json.loads((folder / "config.json").read_text())
    stated = config["pretrained_cfg"] | {"mean": [0.1, 0.2, 0.3], "crop_pct": 0.5}
    changed(folder, pretrained_cfg=stated)
    source = load_source(SourceOptions(checkpoint=folder))
    assert isinstance(source.network, nn.Module)
    with torch.no_grad():
        torch.testing.assert_close(source.network(drawn_images(2)), reference(drawn_images(2)))
    assert source.architecture == NAME
    assert source.preprocessing.mean == (0.1, 0.2, 0.3)
    assert source.preprocessing.resize_shorter_side == 448
    assert [(label.id, label.name) for label in source.labels] == [
        ("tench", "tench"),
        ("great_white_shark", "great white shark"),
        ("cock", "cock, rooster"),
    ]


@pytest.mark.parametrize(
    ("entries", "cause"),
    [
        ({"architecture": None, "architectures": ["ViTForImageClassification"]}, "ViTForImage"),
        ({"problem_type": "multi_label_classification"}, "several labels a photo"),
        ({"label_names": ["tench", "tench", "cock"]}, "label_names"),
        ({"pretrained_cfg": "none"}, "pretrained_cfg"),
        ({"architecture": "legacy_seresnet34"}, "does not fit"),
    ],
)
def test_other_folders_are_refused_by_name(
    folder: Path, entries: dict[str, object], cause: str
) -> None:
    changed(folder, **entries)
    with pytest.raises(ConfigurationError, match=cause) as refused:
        load_source(SourceOptions(checkpoint=folder))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("file", FILES)
def test_a_folder_without_a_file_is_refused(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(ConfigurationError, match=file.replace(".", r"\.")):
        load_source(SourceOptions(checkpoint=folder))


@pytest.fixture
def hub(folder: Path) -> Iterator[str]:
    """A hub that holds one network, `someone/network`."""
    contents = {file: (folder / file).read_bytes() for file in FILES}

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            content = contents.get(path.rpartition("/")[2])
            if content is None or not path.startswith("/someone/network/resolve/"):
                self.send_error(404)
                return
            self._send(content)

        def _send(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def loaded_from(hub: str, name: str, home: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, for the hub's client reads its address when it is imported."""
    program = (
        "import sys\n"
        "from app.contract.errors import ConfigurationError\n"
        "from senet.sources import SourceOptions, load_source\n"
        "try:\n"
        "    source = load_source(SourceOptions(hub=sys.argv[1]))\n"
        "except ConfigurationError as error:\n"
        "    sys.exit(f'error: {error}')\n"
        "print(source.source.weights, '|', *(label.id for label in source.labels))\n"
    )
    environment = os.environ | {
        "HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", program, name],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_network_of_the_hub_is_downloaded_and_named(hub: str, tmp_path: Path) -> None:
    done = loaded_from(hub, "someone/network", tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "someone/network of the hub" in done.stdout
    assert "| tench great_white_shark cock" in done.stdout


def test_a_network_that_the_hub_lacks_is_refused_in_one_line(hub: str, tmp_path: Path) -> None:
    done = loaded_from(hub, "someone/else", tmp_path / "home")
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("error: --hf-hub: someone/else cannot be downloaded")


@pytest.mark.parametrize("name", ["network", "a/b/c", "https://hub/a/b", "../x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="--hf-hub"):
        load_source(SourceOptions(hub=name))
