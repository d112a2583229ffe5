"""The tutorials' commands and programs, and what they need to begin with."""

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from tests.package.conftest import ROOT
from tests.support.images import encode, photo

TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = [ROOT / "docs" / "index.md", *sorted(TUTORIALS.glob("*.md"))]
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]+) -->\n)?^```(?P<language>sh|python)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A block of a page.

    Attributes:
        language: what runs it.
        text: the block.
        reason: why it is not run; empty if it is.
        runs_on: whether it is a service that the blocks after it talk to.
    """

    language: Literal["sh", "python"]
    text: str
    reason: str
    runs_on: bool


def snippets(page: Path) -> list[Snippet]:
    """The blocks of a page, in order."""
    found = []
    for block in _BLOCK.finditer(page.read_text()):
        mark = block["mark"] or ""
        reason = mark.removeprefix("not run: ") if mark.startswith("not run: ") else ""
        language: Literal["sh", "python"] = "sh" if block["language"] == "sh" else "python"
        found.append(Snippet(language, block["text"], reason, mark == "runs on"))
    return found


def lay_out(folder: Path) -> None:
    """Photos of dark daisies and light roses, and TorchServe's archive of a network for them."""
    for part, count in (("train", 16), ("val", 4)):
        for label, light in (("daisy", 30), ("rose", 220)):
            (folder / "photos" / part / label).mkdir(parents=True)
            for number in range(count):
                data = encode(photo((light, light - number, light)), "JPEG")
                (folder / "photos" / part / label / f"{number}.jpg").write_bytes(data)
    torch.save(
        {
            "conv.weight": torch.tensor([1.0, -1.0])[:, None, None, None].repeat(1, 3, 1, 1),
            "conv.bias": torch.zeros(2),
            "fc.weight": torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
            "fc.bias": torch.zeros(2),
        },
        folder / "weights.pth",
    )
    with zipfile.ZipFile(folder / "flowers.mar", "w") as archive:
        archive.write(folder / "weights.pth", "weights.pth")
        archive.writestr("model.py", _MODULE)
        archive.writestr("index_to_name.json", json.dumps({"0": "daisy", "1": "rose"}))


_MODULE = '''
import torch


class Net(torch.nn.Module):
    """Tells dark photos from light ones."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 1)
        self.pool = torch.nn.AdaptiveAvgPool2d(1)
        self.fc = torch.nn.Linear(2, 2)

    def forward(self, images):
        return self.fc(self.pool(torch.relu(self.conv(images))).flatten(1))


def build():
    return Net()
'''
