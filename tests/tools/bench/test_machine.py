from pathlib import Path

import pytest

from tools.bench import machine

CPUINFO = """\
processor\t: 0
model name\t: Some CPU @ 2.60GHz
flags\t\t: fpu avx2 avx512f {more}

processor\t: 1
model name\t: Another
flags\t\t: amx_int8
"""


@pytest.mark.parametrize("more", ["avx512_vnni", "avx_vnni", ""])
def test_the_first_processor_is_described(tmp_path: Path, more: str) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO.format(more=more))

    described = machine.describe(tmp_path / "cpuinfo")

    assert described["processor"] == "Some CPU @ 2.60GHz"
    assert described["instructions"] == f"avx2 avx512f {more}".strip()


def test_a_processor_that_says_nothing_has_no_instructions_that_matter(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n")

    described = machine.describe(tmp_path / "cpuinfo")

    assert described["instructions"] == "none that matter"
