"""What stands before the service in a cluster agrees with its limits."""

from pathlib import Path

import pytest

from app.settings import Settings
from tests.deploy.combinations import combined
from tests.deploy.files import one
from tests.deploy.pods import container_of, environment, pod_of

DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}
SLOWEST_ANSWER = (DEFAULTS["body_timeout_ms"] + DEFAULTS["request_timeout_ms"]) / 1000


@pytest.mark.parametrize("component", ["ingress", "gateway"])
def test_whoever_stands_in_front_is_trusted_with_the_addresses_of_users(
    component: str, tmp_path: Path
) -> None:
    variables = environment(container_of(pod_of(combined(tmp_path, "cpu", component))))
    trusted = variables["SENET_FORWARDED_ALLOW_IPS"]
    assert trusted != "*"
    assert "/" in trusted, "pods have no lasting address, but their network has one"


def test_an_ingress_leaves_limits_and_refusals_to_the_service(tmp_path: Path) -> None:
    manifests = combined(tmp_path, "cpu", "ingress")
    ingress = one(manifests, "Ingress")
    options = {
        name.removeprefix("nginx.ingress.kubernetes.io/"): value
        for name, value in ingress["metadata"]["annotations"].items()
    }
    assert options["proxy-body-size"] == "0"
    assert options["proxy-request-buffering"] == "off"
    assert int(options["proxy-read-timeout"]) > SLOWEST_ANSWER
    assert "http_" not in options["proxy-next-upstream"]
    assert options["force-ssl-redirect"] == "true"
    [rule] = ingress["spec"]["rules"]
    [path] = rule["http"]["paths"]
    service = one(manifests, "Service")
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["name"] == service["spec"]["ports"][0]["name"]
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]


def test_a_gateway_leaves_limits_and_refusals_to_the_service(tmp_path: Path) -> None:
    manifests = combined(tmp_path, "cpu", "gateway")
    route, gateway = one(manifests, "HTTPRoute")["spec"], one(manifests, "Gateway")
    [listener] = gateway["spec"]["listeners"]
    [parent] = route["parentRefs"]
    assert parent == {"name": gateway["metadata"]["name"], "sectionName": listener["name"]}
    assert route["hostnames"] == [listener["hostname"]]
    assert listener["tls"]["mode"] == "Terminate"
    [rule] = route["rules"]
    for seconds in rule["timeouts"].values():
        assert float(seconds.removesuffix("s")) > SLOWEST_ANSWER
    [backend] = rule["backendRefs"]
    service = one(manifests, "Service")
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"] == service["spec"]["ports"][0]["port"]
