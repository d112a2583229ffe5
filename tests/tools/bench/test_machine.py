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


@pytest.mark.parametrize(("more", "vnni"), [("avx512_vnni", True), ("avx_vnni", True), ("", False)])
def test_the_first_processor_is_described(tmp_path: Path, more: str, *, vnni: bool) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO.format(more=more))

    described = machine.describe(tmp_path / "cpuinfo")

    assert described["processor"] == "Some CPU @ 2.60GHz"
    assert described["instructions"] == f"avx2 avx512f {more}".strip()
    assert machine.has_vnni(described) is vnni


def test_a_processor_that_says_nothing_has_no_vnni(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n")

    described = machine.describe(tmp_path / "cpuinfo")

    assert described["instructions"] == "none that matter"
    assert not machine.has_vnni(described)
