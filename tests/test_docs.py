"""The documents agree with the code and with each other."""

import re
from pathlib import Path

from app.settings import Settings
from app.transport.http.problems import ANSWERS
from tools.site import hooks

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "decisions"
GENERATED = {ROOT / "docs" / page for page in hooks.GENERATED}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "client" / "README.md"])


def test_the_page_of_options_lists_every_option_once_with_its_default() -> None:
    page = (ROOT / "docs" / "options.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", page, re.MULTILINE)

    expected = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, ()) else str(field.default)
        text = " ".join((field.description or "").split()).replace("<", r"\<")
        expected.append((name, f"`{default}`" if default else "none", text))
    assert sorted(rows) == sorted(expected)


def test_the_api_guide_lists_every_error_with_its_status() -> None:
    guide = (ROOT / "docs" / "api.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (\d{3}(?:, \d{3})?) \|", guide, re.MULTILINE)
    documented = {
        code: statuses.split(", ")[min(position, statuses.count(","))]
        for codes, statuses in rows
        for position, code in enumerate(re.findall(r"`(\w+)`", codes))
    }

    assert documented == {error.code: str(answer.status) for error, answer in ANSWERS.items()}


def test_every_relative_link_leads_to_a_file_and_a_heading() -> None:
    broken = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
            file = page.parent / target if target else page
            if file.resolve() in GENERATED:  # `make docs` follows links to those
                continue
            if not file.exists() or (anchor and anchor not in _anchors(file.read_text())):
                broken.append(f"{page.relative_to(ROOT)}: {target}#{anchor}")

    assert broken == []


def test_every_file_that_a_page_names_exists() -> None:
    named = re.compile(r"`((?:app|client|deploy|docs|scripts|senet|tests|tools)/[\w./-]+)`")
    missing = [
        f"{page.relative_to(ROOT)}: {path}"
        for page in PAGES
        for path in named.findall(page.read_text())
        if not (ROOT / path).exists()
    ]

    assert missing == []


def test_every_module_that_a_page_names_exists() -> None:
    named = re.compile(r"\b((?:app|scripts|senet|tools)(?:\.[a-z_]\w*)+)")
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in PAGES
        for name in named.findall(page.read_text())
        # The last part may be a function.
        if not (_is_module(name) or _is_module(name.rpartition(".")[0]))
    ]

    assert missing == []


def test_decisions_have_one_form_and_are_all_in_the_index() -> None:
    records = sorted(path for path in DECISIONS.iterdir() if path.name != "README.md")
    index = []
    for number, record in enumerate(records, start=1):
        title, *sections = re.findall(r"^#+ (.+)$", record.read_text(), re.MULTILINE)
        assert re.fullmatch(rf"{number:03}-[a-z0-9-]+\.md", record.name)
        assert sections == ["Context", "Decision", "Reason", "Consequences"], record.name
        index.append(f"- [{title}]({record.name})")

    page = (DECISIONS / "README.md").read_text()
    assert re.findall(r"^- .+$", page, re.MULTILINE) == index


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return "." in name and (path.is_dir() or path.with_suffix(".py").is_file())


def _anchors(text: str) -> set[str]:
    """Those that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
