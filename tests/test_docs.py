"""The documents agree with the code."""

import re
from pathlib import Path

from app.settings import Settings
from app.transport.http.problems import ANSWERS

ROOT = Path(__file__).parents[1]


def test_the_readme_lists_every_option_with_its_default() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\S+) \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )

    expected = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, ()) else str(field.default)
        text = " ".join((field.description or "").split())
        expected.append((name, f"`{default}`" if default else "none", text))
    assert rows == expected


def test_the_api_guide_lists_every_error_with_its_status() -> None:
    guide = (ROOT / "docs" / "api.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (\d{3}(?:, \d{3})?) \|", guide, re.MULTILINE)
    documented = {
        code: statuses.split(", ")[min(position, statuses.count(","))]
        for codes, statuses in rows
        for position, code in enumerate(re.findall(r"`(\w+)`", codes))
    }

    assert documented == {error.code: str(answer.status) for error, answer in ANSWERS.items()}


def test_every_relative_link_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert broken == []
