"""Variables named SENET_ that are not options: refused if misspelt, left alone if another's."""

import pytest

from app.contract.errors import ConfigurationError
from app.environment import check_variables, hidden_options
from app.settings import Settings, load_settings

OPTIONS = tuple(Settings.model_fields)


def refusal(*names: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        check_variables(dict.fromkeys(names, "x"), OPTIONS)
    assert "\n" not in str(raised.value)
    assert "--help" in raised.value.remedy
    return raised.value


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("SENET_APIKEYS_FILE", "SENET_API_KEYS_FILE"),
        ("SENET_API_KEY_FILE", "SENET_API_KEYS_FILE"),
        ("SENET_TLS_CERT_FILE", "SENET_TLS_CERTIFICATE_FILE"),
        ("SENET_MAX_QUEUESIZE", "SENET_MAX_QUEUE_SIZE"),
        ("senet_prot", "SENET_PORT"),
        ("SENET_PORTS", "SENET_PORT"),
    ],
)
def test_a_misspelt_option_is_told_what_was_meant(misspelt: str, meant: str) -> None:
    _, _, hint = refusal(misspelt).cause.partition(f"no option {misspelt} (did you mean ")
    assert meant in hint.removesuffix("?)").split(" or ")


def test_a_name_that_is_near_to_none_is_told_as_it_is() -> None:
    assert refusal("SENET_XYZZY").cause == "there is no option SENET_XYZZY"
    refusal("SENET_")


def test_all_of_them_are_told_at_once() -> None:
    cause = refusal("SENET_PROT", "SENET_HOTS", "SENET_MODEL", "PATH").cause
    assert "SENET_HOTS (did you mean SENET_HOST?), SENET_PROT (did you mean SENET_PORT?)" in cause
    assert "SENET_MODEL" not in cause


def test_options_and_the_client_s_variables_pass() -> None:
    names = [f"SENET_{option.upper()}" for option in OPTIONS]
    check_variables(dict.fromkeys([*names, "senet_log_level", "PATH", "TORCH_HOME"], "x"), OPTIONS)
    check_variables({"SENET_API_KEY": "secret", "SENET_URL": "http://photos"}, OPTIONS)


def links(service: str, *, scheme: str = "tcp", address: str = "10.96.3.7") -> dict[str, str]:
    """What Kubernetes tells a container of a Service with a port called http."""
    port = f"{service}_PORT_8000_{scheme.upper()}"
    url = f"{scheme}://{address}:8000"
    return {
        f"{service}_SERVICE_HOST": address,
        f"{service}_SERVICE_PORT": "8000",
        f"{service}_SERVICE_PORT_HTTP": "8000",
        f"{service}_PORT": url,
        port: url,
        f"{port}_PROTO": scheme,
        f"{port}_PORT": "8000",
        f"{port}_ADDR": address,
    }


@pytest.mark.parametrize("service", ["SENET", "SENET_SERVING", "SENET_MAX_BATCH", "SENET_API_KEYS"])
def test_links_to_services_pass(service: str) -> None:
    check_variables(links(service), OPTIONS)
    check_variables(links(service, scheme="udp"), OPTIONS)
    check_variables(links(service, scheme="sctp", address="fd00::7"), OPTIONS)


@pytest.mark.parametrize("alias", ["SENET", "SENET_SERVING"])
def test_docker_s_own_links_pass(alias: str) -> None:
    variables = {
        f"{alias}_PORT": "tcp://172.17.0.5:8000",
        f"{alias}_PORT_8000_TCP": "tcp://172.17.0.5:8000",
        f"{alias}_PORT_8000_TCP_ADDR": "172.17.0.5",
        f"{alias}_PORT_8000_TCP_PORT": "8000",
        f"{alias}_PORT_8000_TCP_PROTO": "tcp",
        f"{alias}_PORT_8000_TCP_START": "tcp://172.17.0.5:8000",
        f"{alias}_PORT_8001_TCP_END": "tcp://172.17.0.5:8001",
        f"{alias}_NAME": "/web-1/senet.photos",
        f"{alias}_ENV_PATH": "/usr/bin:/bin",
        f"{alias}_ENV_SENET_PORT": "",
        f"{alias}_ENV_MOTD": "several\nlines",
    }
    check_variables(variables, OPTIONS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SENET_NAME", "photos"),
        ("SENET_NAME", "/photos"),
        ("SENET_ENV", "production"),
        ("SENET_SERVING_PORT", "8000"),
        ("SENET_SERVICE_HOST", "photos.example"),
        ("SENET_SERVICE_PORT", "http"),
        ("SENET_HTTP", "tcp://10.0.0.1:8000"),
        ("SENET_PORT_8000_TCP_PROTO", "http"),
    ],
)
def test_what_only_resembles_a_link_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        check_variables({name: value}, OPTIONS)


def test_the_service_called_senet_does_not_set_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in links("SENET").items():
        monkeypatch.setenv(name, value)
    assert load_settings([]).port == 8000
    assert load_settings(["--port", "9000"]).port == 9000
    assert hidden_options(links("SENET"), OPTIONS) == ["SENET_PORT"]
    assert hidden_options({"SENET_PORT": "8000"}, OPTIONS) == []


def test_a_flag_is_never_a_link() -> None:
    with pytest.raises(ConfigurationError, match=r"^port: "):
        load_settings(["--port", "tcp://10.0.0.1:8000"])


def test_a_misspelt_variable_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENET_API_KEY_FILE", "/etc/keys.json")
    with pytest.raises(ConfigurationError, match="SENET_API_KEYS_FILE"):
        load_settings([])
