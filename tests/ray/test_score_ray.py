"""Scoring on Ray: the rows of the service, whatever is lost on the way.

Runs in an environment of its own, see requirements.txt beside this file.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image, ImageDraw

pytest.importorskip("ray")
from pyarrow import parquet
from ray.cluster_utils import Cluster
from senet_client import Client, Retries, Timeouts
from senet_client.score.job import JobOptions, run_job

from scripts.score_ray import main

ROOT = Path(__file__).parents[2]
MODELS = Path(os.environ.get("SENET_MODEL_REPOSITORY", ROOT / "models"))
PHOTOS = 240
ROWS_PER_PART = 4

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(PHOTOS - 2):
        image = Image.new("RGB", (200, 150), (number * 37 % 256, 90, 160))
        ImageDraw.Draw(image).ellipse((20, 20, 60 + number, 90), fill=(250, number * 11 % 256, 0))
        image.save(folder / f"{number:04}.jpg")
    (folder / "text.jpg").write_bytes(b"text")
    half = BytesIO()
    Image.linear_gradient("L").save(half, "JPEG")
    (folder / "cut.jpg").write_bytes(half.getvalue()[:500])
    return folder


@pytest.fixture(scope="module")
def expected(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows that the service itself gives."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        *(sys.executable, "-m", "app", "--port", str(port), "--log-level", "warning"),
        *("--model-repository", str(MODELS)),
    ]
    output = tmp_path_factory.mktemp("http") / "out"
    with subprocess.Popen(words, cwd=ROOT) as service:
        url = f"http://127.0.0.1:{port}"
        patient = Retries(attempts=1000, unreachable=True)
        with Client(url, timeouts=Timeouts(total=120), retries=patient) as client:
            client.models()
        run_job(JobOptions(inputs=(str(photos),), output=str(output), url=url, progress="none"), [])
        service.terminate()
    return read(output)


def read(output: Path) -> Rows:
    parts = sorted(output.glob("part-*.parquet"))
    return [row for part in parts for row in parquet.ParquetFile(part).read().to_pylist()]


def start(photos: Path, output: Path, *more: str) -> "subprocess.Popen[str]":
    words = [
        *(sys.executable, "-m", "scripts.score_ray", str(photos), "--output", str(output)),
        *("--model-repository", str(MODELS), "--rows-per-part", str(ROWS_PER_PART), *more),
    ]
    return subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(photos: Path, output: Path, *more: str) -> tuple[int, str, str]:
    process = start(photos, output, *more)
    said, errors = process.communicate(timeout=300)
    return process.returncode, said, errors


def check(output: Path, expected: Rows) -> None:
    """The same rows as the service's: classes equal, scores within 1e-4, errors of one code."""
    rows = read(output)
    assert len(rows) == len(expected) == PHOTOS
    for row, other in zip(rows, expected, strict=True):
        for name, value in other.items():
            if name.startswith("score_") and value is not None:
                assert row[name] == pytest.approx(value, abs=1e-4)
            elif name not in ("error", "duration_ms", "attempts"):
                assert row[name] == value, (name, row["path"])


def test_two_workers_give_the_rows_of_the_service(
    photos: Path, expected: Rows, tmp_path: Path
) -> None:
    code, said, errors = run(photos, tmp_path / "out", "--workers", "2")

    assert code == 3, errors
    assert said == f"{PHOTOS} rows in {tmp_path / 'out'}, 2 with an error\n"
    check(tmp_path / "out", expected)


def test_a_rerun_does_only_what_is_missing(photos: Path, expected: Rows, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run(photos, output)
    journal = output / "_journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:11]))
    before = {part.name: part.stat().st_mtime_ns for part in output.glob("part-*")}

    code, _, errors = run(photos, output)

    assert code == 3, errors
    after = {part.name: part.stat().st_mtime_ns for part in output.glob("part-*")}
    kept = [name for name in before if before[name] == after[name]]
    assert len(kept) == 10
    check(output, expected)


def with_a_worse_int8(repository: Path) -> Path:
    """The default model, whose manifest says that int8 loses a tenth of a point."""
    folder = repository / "imagenette" / "1"
    shutil.copytree(MODELS / "imagenette" / "1", folder)
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    variants = {variant["precision"]: variant for variant in manifest["variants"]}
    variants["int8"]["accuracy"]["top1"] = variants["fp32"]["accuracy"]["top1"] - 0.001
    file.write_text(json.dumps(manifest))
    return repository


def test_auto_gives_up_no_more_accuracy_than_allowed_and_a_rerun_keeps_the_choice(
    photos: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    journal = output / "_journal.jsonl"
    models = with_a_worse_int8(tmp_path / "models")
    one = ("--rows-per-part", str(PHOTOS), "--model-repository", str(models))

    code, _, errors = run(photos, output, "--max-accuracy-drop", "0", *one)

    assert code == 3, errors
    header = json.loads(journal.read_text().splitlines()[0])
    assert header["precision"] == "fp32"
    assert run(photos, output, *one)[0] == 3


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Two nodes on this machine, room for one worker on each."""
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    yield nodes
    nodes.shutdown()


def test_the_loss_of_a_node_loses_no_row(
    cluster: Cluster, photos: Path, expected: Rows, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = start(photos, output, "--address", cluster.address, "--workers", "2")
    (node,) = cluster.worker_nodes
    raylet = node.all_processes["raylet"][0].process.pid
    wait_until(lambda: len(list(output.glob("part-*"))) >= 4 and scores(raylet), process)

    cluster.remove_node(node, allow_graceful=False)

    said, errors = process.communicate(timeout=300)
    assert process.returncode == 3, errors
    assert said.splitlines()[-1].startswith(f"{PHOTOS} rows")
    check(output, expected)


def wait_until(reached: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    while process.poll() is None and not reached():
        time.sleep(0.01)  # waits for other processes' doings, of which nothing tells
    assert process.poll() is None, process.communicate()


def scores(raylet: int) -> bool:
    """Whether a node has a worker with the model loaded that is scoring now."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            title = status.with_name("cmdline").read_bytes()
            parent = status.read_text().rpartition(")")[2].split()[1]
        except OSError:  # it has ended since
            continue
        if int(parent) == raylet and title.startswith(
            b"ray::MapWorker(MapBatches(PartScorer)).submit"
        ):
            return True
    return False


def test_rows_with_errors_are_scored_again(photos: Path, expected: Rows, tmp_path: Path) -> None:
    folder, output = tmp_path / "photos", tmp_path / "out"
    shutil.copytree(photos, folder)
    good = (folder / "0005.jpg").read_bytes()
    (folder / "0005.jpg").write_bytes(b"text")
    assert run(folder, output)[0] == 3
    before = {part.name: part.stat().st_mtime_ns for part in output.glob("part-*")}
    (folder / "0005.jpg").write_bytes(good)

    code, said, errors = run(folder, output, "--retry-errors")

    assert code == 3, errors
    assert "2 with an error" in said
    after = {part.name: part.stat().st_mtime_ns for part in output.glob("part-*")}
    assert 1 <= sum(before[name] != after[name] for name in before) <= 3  # those with errors
    check(output, [{**row, "path": str(folder / Path(row["path"]).name)} for row in expected])


def test_an_output_at_a_url_from_any_folder(photos: Path, expected: Rows, tmp_path: Path) -> None:
    place, work = tmp_path / "bucket" / "scores", tmp_path / "work"
    work.mkdir()
    words = [
        *(sys.executable, "-m", "scripts.score_ray", str(photos), "--output", f"file://{place}"),
        *("--model-repository", str(MODELS), "--rows-per-part", str(ROWS_PER_PART), "--send-code"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def go(*more: str) -> tuple[int, str]:
        done = subprocess.run(
            [*words, *more], cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    code, told = go()

    assert code == 3, told
    check(place, expected)
    assert not (place / "_inputs.jsonl").exists()
    [journal] = work.glob("*/_journal.jsonl")  # rows with errors may be tried again
    (place / "part-000003.parquet").unlink()
    code, told = go("--retry-errors")
    assert code == 3, told
    check(place, expected)
    assert journal.exists()


@pytest.mark.parametrize("text", ["no json", "[]"])
def test_a_runtime_env_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    (tmp_path / "env.json").write_text(text)
    with pytest.raises(SystemExit) as refused:
        main(["photos", "--output", "out", "--runtime-env", str(tmp_path / "env.json")])
    assert refused.value.code == 2
    assert "--runtime-env" in capsys.readouterr().err


def test_other_options_may_not_go_on(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    run(photos, output)

    code, _, errors = run(photos, output, "--top-k", "2")

    assert code == 2
    assert "top_k: then 5, now 2" in errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "nobody"], "error: model: nobody is not in"),
        (["--model", "imagenette:99"], "error: model: imagenette:99 is not in"),
        (["--model", "imagenette:x"], "error: --model: 'imagenette:x' is not name:version"),
        (["--output", "nosuch://bucket/out"], "error: --output: nosuch://bucket/out: Protocol not"),
        (["--output", "file:///tmp/out.parquet"], "error: --output: file:///tmp/out.parquet names"),
        (["--cpus-per-worker", "9999"], "error: --cpus-per-worker: 9999 cores, and this machine"),
        (["--address", "127.0.0.1:1"], "error: --address: nothing answers at 127.0.0.1:1"),
        (["--provider", "cuda"], "error: provider: CUDAExecutionProvider is not in this build"),
    ],
)
def test_wrong_options_are_told(
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    output = tmp_path / "out"

    code = main([str(photos), "--output", str(output), "--model-repository", str(MODELS), *words])

    [line] = capsys.readouterr().err.splitlines()
    assert code == 2
    assert line.startswith(message)
    assert not output.exists()


def test_a_damaged_model_is_refused_before_anything_is_begun(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(MODELS / "imagenette", models / "imagenette")
    for file in models.rglob("*.onnx"):
        with file.open("ab") as opened:
            opened.write(b"x")

    code = main([str(photos), "--output", str(tmp_path / "out"), "--model-repository", str(models)])

    assert code == 2
    assert "has SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_counts_are_positive(capsys: pytest.CaptureFixture[str], value: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["photos", "--output", "out", "--rows-per-part", value])

    assert refused.value.code == 2
    assert "--rows-per-part" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["-1", "nan", "101", "much"])
def test_accuracy_is_given_up_in_points(capsys: pytest.CaptureFixture[str], value: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["photos", "--output", "out", "--max-accuracy-drop", value])

    assert refused.value.code == 2
    assert "--max-accuracy-drop" in capsys.readouterr().err


def test_the_kuberay_job_names_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    job = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "ray" / "rayjob.yaml").read_text())
    words = job["spec"]["entrypoint"].split()

    assert words[:3] == ["python", "-m", "scripts.score_ray"]
    # All options are understood; what is missing here is the image's /models.
    assert main(words[3:]) == 2
    assert capsys.readouterr().err.startswith("error: model_repository: /models")
