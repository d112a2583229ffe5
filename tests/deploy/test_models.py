"""Models come into the cluster by components, and what serves is pinned."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from app.contract.manifest import Manifest as ModelManifest
from app.settings import Settings
from tests.deploy.combinations import OVERLAYS, combinations, combined
from tests.deploy.files import KUBERNETES, ROOT, one
from tests.deploy.kustomize import Manifest, render
from tests.deploy.pods import container_of, environment, pod_of

DEFAULT = ROOT / "models" / "imagenette" / "1" / "manifest.json"


def served(variables: dict[str, str]) -> tuple[str, str]:
    """Folder of the pinned version below the repository, and precision."""
    name, _, version = variables["SENET_MODEL"].partition(":")
    assert version.isdecimal(), "a restart could change the version that serves"
    return f"{name}/{version}", variables["SENET_PRECISION"]


@pytest.mark.parametrize(("overlay", "components"), combinations())
def test_a_pod_serves_one_version_in_one_precision_that_there_is(
    overlay: str, components: tuple[str, ...], tmp_path: Path
) -> None:
    container = container_of(pod_of(combined(tmp_path, overlay, *components)))
    folder, precision = served(environment(container))
    assert ROOT / "models" / folder / "manifest.json" == DEFAULT
    manifest = ModelManifest.model_validate_json(DEFAULT.read_bytes())
    assert precision in {variant.precision for variant in manifest.variants}


def test_kserve_serves_the_same() -> None:
    manifests = render(KUBERNETES / "kserve")
    [container] = one(manifests, "ServingRuntime")["spec"]["containers"]
    deployment = container_of(pod_of(render(KUBERNETES / "overlays" / "cpu")))
    assert served(environment(container)) == served(environment(deployment))
    uri = one(manifests, "InferenceService")["spec"]["predictor"]["model"]["storageUri"]
    assert uri == f"pvc://{one(manifests, 'PersistentVolumeClaim')['metadata']['name']}"
    assert environment(container)["SENET_MODEL_REPOSITORY"] == "/mnt/models"


def test_kserve_gives_the_drain_as_much_time_as_a_deployment_does() -> None:
    manifests = render(KUBERNETES / "kserve")
    pod = pod_of(render(KUBERNETES / "overlays" / "cpu"))
    predictor = one(manifests, "InferenceService")["spec"]["predictor"]
    [container] = one(manifests, "ServingRuntime")["spec"]["containers"]
    assert predictor["terminationGracePeriodSeconds"] == pod["terminationGracePeriodSeconds"]
    assert container["lifecycle"] == container_of(pod)["lifecycle"]
    drain = "SENET_DRAIN_SECONDS"
    assert environment(container)[drain] == environment(container_of(pod))[drain]


@pytest.mark.parametrize("component", ["model-volume", "model-fetch", "model-image"])
def test_a_model_lies_where_the_service_looks_and_cannot_be_written(
    component: str, tmp_path: Path
) -> None:
    pod = pod_of(combined(tmp_path, "cpu", component))
    mount = _own_mount(pod)
    assert mount["mountPath"] == "/models"
    assert mount["readOnly"] is True
    assert mount["name"] in {volume["name"] for volume in pod["volumes"]}


def test_the_claim_that_is_mounted_is_the_one_that_is_filled(tmp_path: Path) -> None:
    store = render(KUBERNETES / "model-store")
    claim = one(store, "PersistentVolumeClaim")["metadata"]["name"]
    loader = one(store, "Pod")["spec"]
    [volume] = loader["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": claim}
    volumes = pod_of(combined(tmp_path, "cpu", "model-volume"))["volumes"]
    [volume] = [volume for volume in volumes if "persistentVolumeClaim" in volume]
    assert volume["persistentVolumeClaim"] == {"claimName": claim, "readOnly": True}
    # It can write what the service's user can read.
    service = pod_of(render(KUBERNETES / "overlays" / "cpu"))["securityContext"]
    assert loader["securityContext"]["fsGroup"] == service["runAsGroup"]


def test_what_is_fetched_is_what_is_served(tmp_path: Path) -> None:
    pod = pod_of(combined(tmp_path, "cpu", "model-fetch"))
    fetch, verify = (container_of(pod, name) for name in ("fetch-model", "verify-model"))
    folder, _ = served(environment(container_of(pod)))
    assert environment(fetch)["MODEL"] == environment(verify)["MODEL"] == folder
    assert fetch["args"] == ["$(MODEL_SOURCE)", "$(TARGET)"]
    names = list(environment(fetch))
    assert environment(fetch)["TARGET"] == "/models/$(MODEL)"
    assert names.index("MODEL") < names.index("TARGET"), "only what stands before is put in"
    digest = hashlib.sha256(DEFAULT.read_bytes()).hexdigest()
    assert environment(verify)["MANIFEST_SHA256"] == digest


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_manifest_of_another_digest_ends_the_pods_start(is_changed: bool, tmp_path: Path) -> None:
    verify = container_of(pod_of(combined(tmp_path, "cpu", "model-fetch")), "verify-model")
    folder = tmp_path / environment(verify)["MODEL"]
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(DEFAULT.read_bytes() + b" " * is_changed)
    ended = run_in(tmp_path, verify["command"], environment(verify))
    assert (ended.returncode != 0) == is_changed, ended.stderr
    if is_changed:
        assert "manifest.json: FAILED" in ended.stdout


def test_the_engine_is_built_from_the_version_that_serves_once_it_is_there(tmp_path: Path) -> None:
    manifests = render(KUBERNETES / "overlays" / "tensorrt")
    folder, _ = served(environment(container_of(pod_of(manifests))))
    job = pod_of(manifests, "Job")
    arguments = container_of(job, "build")["args"]
    name, _, version = folder.partition("/")
    assert {f"--name={name}", f"--version={version}"} <= set(arguments)

    wait = container_of(job, "wait-for-model")
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "manifest.json").touch()
    (tmp_path / "photos").mkdir()
    assert run_in(tmp_path, wait["command"], {}).returncode == 0
    (tmp_path / folder / "manifest.json").unlink()
    with pytest.raises(subprocess.TimeoutExpired):
        run_in(tmp_path, wait["command"], {}, seconds=1)


def test_no_claim_is_made_by_the_apply_that_starts_a_job_on_it() -> None:
    kinds = {manifest["kind"] for manifest in render(KUBERNETES / "overlays" / "tensorrt")}
    assert "Job" in kinds
    assert "PersistentVolumeClaim" not in kinds


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_tag_that_moves_is_pulled_again(overlay: str) -> None:
    pod = pod_of(render(KUBERNETES / "overlays" / overlay))
    assert container_of(pod)["imagePullPolicy"] == "Always"


def test_the_keys_are_where_the_service_reads_them(tmp_path: Path) -> None:
    pod = pod_of(combined(tmp_path, "cpu", "api-keys"))
    mount = _own_mount(pod)
    path = Path(environment(container_of(pod))["SENET_API_KEYS_FILE"])
    assert path.parent == Path(mount["mountPath"])
    # With a subPath a changed Secret would never be seen.
    assert "subPath" not in mount
    [volume] = [volume for volume in pod["volumes"] if "secret" in volume]
    # Read by the group alone: the files belong to root.
    assert volume["secret"]["defaultMode"] == 0o440
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    assert "api_keys_file" in Settings.model_fields


def run_in(
    models: Path, command: list[str], variables: dict[str, str], seconds: float = 20
) -> subprocess.CompletedProcess[str]:
    """Runs a container's command with a folder of this machine for `/models`."""
    here = [
        word.replace("/models/", f"{models}/").replace("sleep 10", "sleep 0.1") for word in command
    ]
    return subprocess.run(
        here, env=os.environ | variables, capture_output=True, text=True, check=False,
        timeout=seconds,
    )  # fmt: skip


def _own_mount(pod: Manifest) -> Manifest:
    """The one that a component adds to the service's temporary folder."""
    mounts: list[Manifest] = container_of(pod)["volumeMounts"]
    [mount] = [
        mount
        for mount in mounts
        if mount["mountPath"] != "/tmp"  # noqa: S108 - of a container
    ]
    return mount
