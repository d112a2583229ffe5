"""What the processor of this machine can do with int8."""

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_VNNI = frozenset(("avx512_vnni", "avx_vnni"))


def instructions(cpuinfo: Path = _CPUINFO) -> frozenset[str]:
    """The names that the kernel has for them, among other words; none where it does not tell."""
    return frozenset(cpuinfo.read_text().split()) if cpuinfo.exists() else frozenset()


def int8_sums_overflow(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether pairs of int8 products are added in 16 bits, which do not always hold them."""
    found = instructions(cpuinfo)
    return "ssse3" in found and not found & _VNNI
