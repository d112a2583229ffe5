"""One version, whatever repeats it, and a changelog that tells of it."""

import shutil
from pathlib import Path

import pytest

from app.version import VERSION
from tools import release


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """All files that hold the version."""
    for file in (*release.PLACES, "CHANGELOG.md"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(release.ROOT / file, tmp_path / file)
    return tmp_path


def test_every_file_that_repeats_the_version_has_the_service_s() -> None:
    assert release.version(release.ROOT) == VERSION
    told = [fault for fault in release.faults(release.ROOT) if "Unreleased" not in fault]
    assert told == []


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
