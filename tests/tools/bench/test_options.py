from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from tools.bench import options
from tools.bench.plan import FULL, QUICK, QUICK_SECTIONS, SECTIONS


@pytest.fixture
def work(tmp_path: Path, repository: Path) -> list[str]:
    """A folder that already holds a model."""
    (tmp_path / "models").symlink_to(repository)
    return ["--work", str(tmp_path), "--models", "colours"]


def test_everything_is_measured_unless_said_otherwise(work: list[str]) -> None:
    found = options.read(work)

    assert (found.sections, found.plan, found.clients) == (SECTIONS, FULL, 32)
    assert [subject.precision for subject in found.subjects] == ["fp32"]


def test_a_quick_run_leaves_out_what_no_goal_needs(work: list[str]) -> None:
    found = options.read([*work, "--quick"])

    assert (found.plan, found.sections) == (QUICK, QUICK_SECTIONS)
    assert options.read([*work, "--quick", "--sections", "forms"]).sections == ("forms",)


def test_sections_keep_their_order(work: list[str]) -> None:
    found = options.read([*work, "--sections", "http,lone,throughput"])

    assert found.sections == ("throughput", "lone", "http")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--sections", "speed"], "--sections: 'speed' is not known; name some of throughput, "),
        (["--sections", "lone,open"], "--sections: open needs what throughput finds"),
        (["--models", "unknown"], "--models: unknown is in none of models, .*tools.bench.models"),
        (["--models", "colours,"], "--models: a name is empty"),
        (["--precisions", "fp32,int8"], "precision: colours:1 has no int8 variant"),
        (
            ["--precisions", "fp8"],
            "--precisions: 'fp8' is not known; name some of fp32, ",
        ),
        (["--photos", "nowhere"], "--photos: no JPEG photo below nowhere"),
        (["--url", "https://127.0.0.1/"], "--url: .* not an http:// address"),
        (["--url", "http://example.org/"], "--url: .* not on this machine"),
        (["--url", "http://localhost:99999/"], "--url: .*[Pp]ort"),
        (["--url", "http://localhost:1/", "--pid", "0"], "--pid: no process 0"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(work: list[str], more: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        options.read([*work, *more])


@pytest.mark.parametrize("clients", ["0", "many", "257"])
def test_clients_are_a_number(
    work: list[str], clients: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        options.read([*work, "--clients", clients])

    assert (
        f"argument --clients: '{clients}' is not a number from 1 to 256" in capsys.readouterr().err
    )


def test_a_given_server_is_measured_beside_the_bare_loop_only(work: list[str]) -> None:
    found = options.read([*work, "--url", "http://localhost:9000/predict?k=1"])

    assert found.given is not None
    assert found.given.url == "http://127.0.0.1:9000/predict?k=1"
    assert found.given.resident_mib == 0.0
    assert found.sections == ("throughput", "lone", "open")
