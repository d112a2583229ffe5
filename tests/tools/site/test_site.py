"""What the site adds to the pages: a reference from code, links, and a place for every page."""

from pathlib import Path

import pytest
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from app.contract.manifest import Manifest
from app.transport.http.problems import ANSWERS
from tools.site import hooks
from tools.site.http_reference import http_page
from tools.site.manifest_reference import manifest_page
from tools.site.metrics_reference import metrics_page
from tools.site.tables import cell, prose

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(tmp_path: Path) -> MkDocsConfig:
    """The project's own configuration, over a folder of a few pages."""
    for page in ("index.md", "api.md", "new-guide.md", "tutorials/one.md", "decisions/001-x.md"):
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).write_text("# Page\n")
    return load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(tmp_path))


def test_a_page_that_nobody_listed_is_a_guide(config: MkDocsConfig) -> None:
    nav = hooks.on_config(config).nav or []
    sections = {name: pages for section in nav for name, pages in section.items()}

    assert sections["Guides"] == ["new-guide.md"]
    assert sections["Tutorials"] == ["tutorials/one.md"]
    assert sections["Decisions"] == ["decisions/README.md", "decisions/001-x.md"]


@pytest.mark.parametrize(
    ("page", "link", "led"),
    [
        ("api.md", "[r](../README.md#start)", "[r]({source}/README.md#start)"),
        ("tutorials/one.md", "[c](../../client/x.py)", "[c]({source}/client/x.py)"),
        ("tutorials/one.md", "[a](../api.md#errors)", "[a](../api.md#errors)"),
        ("api.md", "[h](https://a.example/../b)", "[h](https://a.example/../b)"),
        ("api.md", "[s](#errors)", "[s](#errors)"),
    ],
)
def test_links_out_of_the_folder_lead_to_the_repository(
    config: MkDocsConfig, page: str, link: str, led: str
) -> None:
    file = File(page, config.docs_dir, config.site_dir, use_directory_urls=True)
    shown = hooks.on_page_markdown(link, Page(None, file, config), config, Files([file]))

    assert shown == led.format(source=config.repo_url)


def test_every_series_is_listed_with_its_labels() -> None:
    page = metrics_page()
    assert "| `senet_requests_total` | counter | `route`, `status`, `model`, `version`" in page
    assert "| `senet_ready` | gauge |  |" in page


def test_every_route_and_every_problem_is_listed() -> None:
    page = http_page()
    assert "### POST /classify" in page
    assert "### GET /readyz" in page
    assert "| `top_k` | query | integer |" in page
    for kind, answer in ANSWERS.items():
        assert f"| `{kind.code}` | {answer.status} |" in page


def test_every_key_of_the_manifest_is_listed() -> None:
    page = manifest_page()
    for key in Manifest.model_fields:
        assert f"| `{key}` |" in page
    assert "[Variant](#variant)" in page


def test_a_cell_holds_what_would_end_it() -> None:
    assert cell("a | b\n<c>") == "a \\| b \\<c>"


def test_shapes_are_no_references() -> None:
    assert prose("float [k][dim],\n see [x](y.md)") == r"float \[k]\[dim], see [x](y.md)"
