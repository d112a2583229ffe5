"""MkDocs' hooks: the order of the pages, the generated ones, and links out of `docs/`."""

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.site.http_reference import http_page
from tools.site.manifest_reference import manifest_page
from tools.site.metrics_reference import metrics_page

GENERATED = {
    "reference/http.md": http_page,
    "reference/manifest.md": manifest_page,
    "reference/metrics.md": metrics_page,
}
_REFERENCE = ("api.md", "options.md", *GENERATED, "reference/client.md", "reference/errors.md")
_FIGURES = ("performance.md", "reliability.md", "results.md")
_LINK = re.compile(r"\]\((?![a-z]+:|#|/)([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Orders the pages: a new page of `docs/` is a guide until it is listed here."""
    folder = Path(config.docs_dir)
    listed = {"index.md", *_REFERENCE, *_FIGURES}
    guides = [path.name for path in sorted(folder.glob("*.md")) if path.name not in listed]
    config.nav = [
        {"Start": "index.md"},
        {"Tutorials": _below(folder, "tutorials")},
        {"Guides": guides},
        {"Reference": list(_REFERENCE)},
        {"Figures": list(_FIGURES)},
        {"Decisions": ["decisions/README.md", *_below(folder, "decisions")]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are generated from code."""
    for path, page in GENERATED.items():
        files.append(File.generated(config, path, content=page()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links to what is outside of `docs/` to the repository."""
    here = PurePosixPath(page.file.src_uri).parent

    def led(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", here.as_posix(), found[1]))
        if target.startswith("docs/"):
            return found[0]
        return f"]({config.repo_url}/{target}{found[2] or ''})"

    del files
    return _LINK.sub(led, markdown)


def _below(folder: Path, name: str) -> list[str]:
    def names() -> Iterable[str]:
        return (path.name for path in (folder / name).glob("*.md") if path.name != "README.md")

    return [f"{name}/{file}" for file in sorted(names())]
