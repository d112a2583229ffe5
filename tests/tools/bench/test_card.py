import pytest

from tools.bench import card


def test_a_machine_without_a_card_is_told_what_is_missing_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert card.main("libnothing.so.1") == 2
    assert capsys.readouterr().err == (
        "error: make bench-gpu: this machine has no NVIDIA driver (libnothing.so.1 does not"
        " load); run it on a machine with an NVIDIA card and a driver for CUDA 13, or run make"
        " bench\n"
    )


def test_the_generator_is_looked_for_as_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    # The C library stands for a driver: it always loads.
    assert card.main("libc.so.6") == 2
    assert capsys.readouterr().err.startswith("error: wrk: the load generator is not installed")
