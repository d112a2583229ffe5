"""One version, whatever repeats it, and a changelog that tells of it."""

import shutil
from pathlib import Path

import pytest

from app.version import VERSION
from tools import release


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """All files that hold the version."""
    for file in (*release.PLACES, release.MANIFEST, "CHANGELOG.md"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(release.ROOT / file, tmp_path / file)
    return tmp_path


def test_every_file_that_repeats_the_version_has_the_service_s() -> None:
    assert release.version(release.ROOT) == VERSION
    told = list(release.faults(release.ROOT))
    # Between two releases there is something new, and manifests may need the next version for it.
    expected = ("Unreleased", "manifests require")
    assert [fault for fault in told if not any(words in fault for words in expected)] == []


def test_a_file_that_was_forgotten_is_named(copy: Path) -> None:
    dockerfile = copy / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace(f"VERSION={VERSION}", "VERSION=0.0.1"))

    assert f"Dockerfile says ARG VERSION=0.0.1, app/version.py says {VERSION}" in list(
        release.faults(copy)
    )
    assert release.main([], copy) == 1


def test_a_mention_that_is_gone_is_named(copy: Path) -> None:
    (copy / "Dockerfile").write_text("FROM scratch\n")

    assert any(fault.startswith("Dockerfile has no") for fault in release.faults(copy))


def test_a_version_that_does_not_read_what_it_exports_is_refused(copy: Path) -> None:
    (copy / release.MANIFEST).write_text(
        '_OLD = "senet-serving>=1.9.0"\n_NEW = "senet-serving>=1.10.0"'
    )

    release.set_version(copy, "1.10.0rc1")
    assert not any("manifests require" in fault for fault in release.faults(copy))
    release.set_version(copy, "1.9.1")
    assert [fault for fault in release.faults(copy) if "manifests require" in fault] == [
        "app/contract/manifest.py has manifests require 1.10.0, which is later than 1.9.1"
    ]


def test_setting_it_changes_all_of_them(copy: Path) -> None:
    assert release.main(["set", "9.8.7rc1"], copy) == 0

    assert release.version(copy) == "9.8.7rc1"
    assert "CHANGELOG.md has no section '## [9.8.7rc1] - YYYY-MM-DD'" in list(release.faults(copy))
    assert not any("says" in fault for fault in release.faults(copy))


@pytest.mark.parametrize("words", [["set"], ["set", "next"], ["set", "1.2"], ["get"]])
def test_other_words_change_nothing(copy: Path, words: list[str]) -> None:
    assert release.main(words, copy) == 2
    assert release.version(copy) == VERSION


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("## [Unreleased]\n\n## [1.0.0] - 2026-01-02\n", None),
        ("## [Unreleased]\n\n- New.\n\n## [1.0.0] - 2026-01-02\n", "entries under Unreleased"),
        ("## [1.0.0]\n", "no section"),
        ("## [0.9.0] - 2026-01-02\n", "no section"),
        ("## [1.0.0] - 2026-01-02\n## [0.9.0] - 2026-02-01\n", "out of order"),
    ],
)
def test_the_changelog_tells_of_the_version(text: str, fault: str | None) -> None:
    told = list(release.changelog_faults(text, "1.0.0"))
    assert told == [] if fault is None else any(fault in line for line in told)
