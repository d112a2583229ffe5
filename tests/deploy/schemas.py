"""What each API takes of a manifest."""

from typing import Any

import jsonschema
import kubernetes_validate
import pydantic
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor

from tests.deploy.kustomize import Manifest

KUBERNETES = "1.32"

_STRING = {"type": "string", "minLength": 1}
_POSITIVE = {"type": "integer", "minimum": 1}
_DURATION = {"type": "string", "pattern": r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"}


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
# Of the others there are none: the fields that are used here, with the names and types that their
# definitions give them (KServe v1alpha1 and v1beta1, Gateway API v1).
CUSTOM: dict[tuple[str, str], dict[str, Any]] = {
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): _object(
        {
            "supportedModelFormats": _list(
                _object({"name": _STRING}, version=_STRING, autoSelect={"type": "boolean"})
            ),
            "containers": _list({"type": "object"}),
        },
        annotations={"type": "object"},
        volumes=_list({"type": "object"}),
        multiModel={"type": "boolean"},
        protocolVersions=_list({"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}),
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
                },
                minReplicas=_POSITIVE,
                terminationGracePeriodSeconds=_POSITIVE,
                automountServiceAccountToken={"type": "boolean"},
            )
        }
    ),
    ("gateway.networking.k8s.io/v1", "Gateway"): _object(
        {
            "gatewayClassName": _STRING,
            "listeners": _list(
                _object(
                    {"name": _STRING, "port": _POSITIVE, "protocol": {"enum": ["HTTP", "HTTPS"]}},
                    hostname=_STRING,
                    tls=_object(
                        {
                            "mode": {"enum": ["Terminate", "Passthrough"]},
                            "certificateRefs": _list(_object({"name": _STRING}, kind=_STRING)),
                        }
                    ),
                    allowedRoutes=_object(
                        {"namespaces": _object({"from": {"enum": ["All", "Same", "Selector"]}})}
                    ),
                )
            ),
        }
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _object(
        {
            "parentRefs": _list(_object({"name": _STRING}, sectionName=_STRING)),
            "rules": _list(
                _object(
                    {
                        "backendRefs": _list(
                            _object(
                                {"name": _STRING, "port": _POSITIVE},
                                weight={"type": "integer", "minimum": 0, "maximum": 1_000_000},
                            )
                        )
                    },
                    matches=_list(
                        _object(
                            {
                                "path": _object(
                                    {
                                        "type": {"enum": ["Exact", "PathPrefix"]},
                                        "value": {"type": "string", "pattern": "^/"},
                                    }
                                )
                            }
                        )
                    ),
                    timeouts=_object({}, request=_DURATION, backendRequest=_DURATION),
                )
            ),
        },
        hostnames=_list(_STRING),
    ),
}

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
    spec = manifest.get("spec", {})
    _check_pod(spec.get("template", {}).get("spec", spec))


def _check_pod(pod: dict[str, Any]) -> None:
    """What the API server refuses beyond the schema."""
    volumes = pod.get("volumes", [])
    for volume in volumes:
        assert len(volume) == 2, f"{volume['name']} has not one source"
    for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
        mounts = container.get("volumeMounts", [])
        paths = [mount["mountPath"] for mount in mounts]
        assert len(set(paths)) == len(paths), f"{container['name']} mounts twice at one path"
        if "template" not in pod and volumes:
            assert {mount["name"] for mount in mounts} <= {volume["name"] for volume in volumes}
        names = [entry["name"] for entry in container.get("env", [])]
        assert len(set(names)) == len(names), f"{container['name']} has a variable twice"
