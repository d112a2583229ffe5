"""Every manifest is what its cluster takes; a broken one would be noticed."""

import json
import shutil
import subprocess
from functools import partial
from typing import Any

import jsonschema
import kubernetes_validate
import pydantic
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor

from tests.deploy.files import DEPLOY
from tests.deploy.kustomize import Manifest, render

KUBERNETES = "1.32"
# A cross-check of our own renderer where it happens to be; no test depends on it.
_KUBECTL = shutil.which("kubectl")
OVERLAYS = [
    "overlays/cpu", "overlays/gpu", "overlays/tensorrt", "components/keda", "kserve",
]  # fmt: skip

_STRING = {"type": "string", "minLength": 1}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


# Types made from the published definitions of the custom resources.
PUBLISHED: dict[tuple[str, str], type[pydantic.BaseModel]] = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ServiceMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PrometheusRule,
    ("keda.sh/v1alpha1", "ScaledObject"): ScaledObject,
}
# Of KServe there are none: the fields that are used here, with the names and types that its
# definitions give them (v1alpha1 and v1beta1).
CUSTOM: dict[tuple[str, str], dict[str, Any]] = {
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): _object(
        {
            "supportedModelFormats": _list(
                _object({"name": _STRING}, version=_STRING, autoSelect={"type": "boolean"})
            ),
            "containers": _list({"type": "object"}),
        },
        annotations={"type": "object"},
        multiModel={"type": "boolean"},
    ),
    ("serving.kserve.io/v1beta1", "InferenceService"): _object(
        {
            "predictor": _object(
                {
                    "model": _object(
                        {
                            "modelFormat": _object({"name": _STRING}),
                            "runtime": _STRING,
                            "storageUri": _STRING,
                        }
                    )
                }
            )
        }
    ),
}  # fmt: skip

REFUSALS = (
    kubernetes_validate.ValidationError,
    jsonschema.ValidationError,
    pydantic.ValidationError,
    AssertionError,
)


def check(manifest: Manifest) -> None:
    """Raises if the manifest is not what its API takes."""
    kind = (manifest["apiVersion"], manifest["kind"])
    if kind in PUBLISHED:
        read = PUBLISHED[kind].model_validate(manifest)
        # What the definition doesn't know is dropped in reading.
        kept = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert kept == manifest, "a key is unknown"
    elif kind in CUSTOM:
        assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
        jsonschema.validate(manifest["spec"], CUSTOM[kind])
        if "containers" in manifest["spec"]:
            # Containers are Kubernetes' own wherever they stand.
            pod = {"containers": manifest["spec"]["containers"]}
            check({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod})
    else:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_is_valid(overlay: str) -> None:
    manifests = render(DEPLOY / "kubernetes" / overlay)
    assert manifests
    for manifest in manifests:
        check(manifest)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec.replica", 2),
        ("Deployment", "spec.template.spec.terminationGracePeriodSeconds", "thirty"),
        ("Deployment", "spec.template.spec.containers.0.readinesProbe", {}),
        ("Service", "spec.ports.0.port", "80"),
        ("NetworkPolicy", "spec.ingres", []),
        ("HorizontalPodAutoscaler", "spec.maxReplicas", None),
        ("ServiceMonitor", "spec.endpoints.0.interval", 15),
        ("PrometheusRule", "spec.groups.0.rules.0.exp", "1"),
    ],
)
def test_a_broken_manifest_is_noticed(kind: str, path: str, value: object) -> None:
    [manifest] = [
        found
        for found in render(DEPLOY / "kubernetes" / "overlays" / "cpu")
        if found["kind"] == kind
    ]
    check(manifest)
    *parents, last = path.split(".")
    place: Any = manifest
    for key in parents:
        place = place[int(key)] if key.isdigit() else place[key]
    place[last] = value
    with pytest.raises(REFUSALS):
        check(manifest)


@pytest.mark.skipif(_KUBECTL is None, reason="kubectl is not installed")
@pytest.mark.parametrize("overlay", OVERLAYS[:3])
def test_kustomize_itself_renders_the_same(overlay: str) -> None:
    ended = subprocess.run(
        [str(_KUBECTL), "kustomize", str(DEPLOY / "kubernetes" / overlay)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs = yaml.safe_load_all(ended.stdout)
    assert _sorted(theirs) == _sorted(render(DEPLOY / "kubernetes" / overlay))


def _sorted(manifests: Any) -> list[str]:  # noqa: ANN401 - an iterable of parsed YAML
    return sorted(json.dumps(_by_name(manifest), sort_keys=True) for manifest in manifests)


def _by_name(value: Any) -> Any:  # noqa: ANN401 - parsed YAML
    """Lists of named things in the order of their names, which means nothing to Kubernetes."""
    if isinstance(value, dict):
        return {key: _by_name(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [_by_name(item) for item in value]
        ordered = any(not isinstance(item, dict) for item in items)
        return items if ordered else sorted(items, key=partial(json.dumps, sort_keys=True))
    return value


@pytest.mark.parametrize("overlay", OVERLAYS[:3])
def test_everything_stands_in_one_namespace(overlay: str) -> None:
    manifests = render(DEPLOY / "kubernetes" / overlay)
    [namespace] = [found for found in manifests if found["kind"] == "Namespace"]
    for manifest in manifests:
        if manifest is not namespace:
            assert manifest["metadata"]["namespace"] == namespace["metadata"]["name"]
