import json
from pathlib import Path

import pytest

from tools.bench.report import Cell, Report, Table, markdown, text


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, "-"), ("service", "service"), (0.947, "0.95"), (12.34, "12.3"), (345.6, "346"),
        (12345.6, "12,346"), (-1.234, "-1.23"), (0.0, "0.00"),
    ],
)  # fmt: skip
def test_numbers_keep_what_can_be_meant(cell: Cell, expected: str) -> None:
    assert text(cell) == expected


def test_a_table_becomes_markdown_with_numbers_on_the_right() -> None:
    table = Table("Speed", "How.", ("", "images/s", "memory"), [("a", 10.0, None), ("b", 2.5, 3.0)])

    assert markdown(table).splitlines() == [
        "### Speed",
        "",
        "How.",
        "",
        "|  | images/s | memory |",
        "| --- | ---: | ---: |",
        "| a | 10.0 | - |",
        "| b | 2.50 | 3.00 |",
    ]


def test_a_report_is_written_for_readers_and_for_programs(tmp_path: Path) -> None:
    table = Table("Speed", "How.", ("", "images/s"), [("a", 10.0)])
    report = Report(
        {"processor": "P"}, "python -m tools.bench", [table], {"m/r": 0.9}, {"m/r": [0.9]}
    )

    report.write(tmp_path / "new")

    assert "### Speed" in (tmp_path / "new" / "bench.md").read_text()
    content = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert content["figures"] == {"m/r": 0.9}
    assert content["tables"][0]["rows"] == [["a", 10.0]]


def test_a_report_with_failed_requests_says_first_that_it_proves_nothing() -> None:
    report = Report({}, "c", [Table("Speed", "", ("",), [])], mistakes=["3 of 9 failed"])

    assert report.markdown().index("Not valid") < report.markdown().index("Speed")
