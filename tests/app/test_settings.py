"""Options come from flags and environment, and every mistake names its option."""

from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.settings import Settings, load_settings


def refusal(arguments: list[str]) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(arguments)
    assert "\n" not in str(raised.value)
    return raised.value


def test_defaults_are_valid() -> None:
    assert load_settings([]) == Settings()


def test_flags_are_in_kebab_case() -> None:
    settings = load_settings(
        ["--max-batch-size", "4", "--model=x:2", "--cors-origins", "https://a, https://b"]
    )
    assert settings.max_batch_size == 4
    assert settings.model == "x:2"
    assert settings.cors_origins == ("https://a", "https://b")


def test_the_environment_has_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENET_MAX_BATCH_SIZE", "5")
    monkeypatch.setenv("SENET_CORS_ORIGINS", "https://a,")
    monkeypatch.setenv("SENET_MODEL_REPOSITORY", "/somewhere")
    settings = load_settings([])
    assert settings.max_batch_size == 5
    assert settings.cors_origins == ("https://a",)
    assert settings.model_repository == Path("/somewhere")


@pytest.mark.parametrize("option", ["models", "cors-origins"])
def test_a_list_of_commas_names_nothing(option: str) -> None:
    error = refusal([f"--{option}", " , ,"])
    assert error.option == option.replace("-", "_")
    assert "the list is empty" in error.cause
    assert load_settings([f"--{option}="]) == Settings()


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENET_PORT", "1")
    assert load_settings(["--port", "2"]).port == 2


def test_help_tells_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        load_settings(["--help"])
    assert raised.value.code == 0
    text = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in text


def test_every_option_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--max-queue-size", "0"], "max_queue_size"),
        (["--port", "65536"], "port"),
        (["--port", "http"], "port"),
        (["--provider", "gpu"], "provider"),
        (["--precision", "fp8"], "precision"),
        (["--max-batch-size", "1.5"], "max_batch_size"),
        (["--max-image-pixels", "100000000"], "max_image_pixels"),
        (["--model", "../secret"], "model"),
        (["--model", "x:0"], "model"),
        (["--log-level", "trace"], "log_level"),
    ],
)
def test_a_value_that_is_not_allowed(arguments: list[str], option: str) -> None:
    error = refusal(arguments)
    assert error.option == option
    assert arguments[1] in error.cause
    assert f"--{option.replace('_', '-')}" in error.remedy
    assert f"SENET_{option.upper()}" in error.remedy


def test_a_value_of_the_environment_that_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENET_MAX_QUEUE_SIZE", "many")
    error = refusal([])
    assert error.option == "max_queue_size"
    assert "many" in error.cause


@pytest.mark.parametrize("arguments", [["--max-batchsize", "4"], ["start"], ["--port"]])
def test_what_is_no_option(arguments: list[str]) -> None:
    error = refusal(arguments)
    assert error.option == "command line"
    assert arguments[0] in error.cause
    assert "--help" in error.remedy


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--max-batch-size", "9", "--max-queue-size", "8"], "max_batch_size"),
        (["--max-images-per-request", "300"], "max_images_per_request"),
        (["--max-queue-delay-ms", "50", "--request-timeout-ms", "50"], "max_queue_delay_ms"),
        (["--max-body-bytes", "11", "--max-buffered-bytes", "10"], "max_body_bytes"),
        (["--tls-certificate-file", __file__], "tls_key_file"),
        (["--open-operations", "false"], "open_operations"),
        (["--tls-key-file", __file__], "tls_certificate_file"),
        (["--tls-key-file", "/missing.pem"], "tls_key_file"),
        (["--api-keys-file", "/missing.json"], "api_keys_file"),
        (["--port", "8001", "--grpc-port", "8001"], "grpc_port"),
        (["--operations-port", "8001", "--grpc-port", "8001"], "grpc_port"),
        (["--adapters", "huggingface", "--grpc-port", "8001"], "grpc_port"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], option: str) -> None:
    assert refusal(arguments).option == option
