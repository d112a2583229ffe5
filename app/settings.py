"""Every option of the service, once: `SENET_<NAME>` or `--<name>` of `python -m app`."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from app.bundled import or_bundled
from app.contract.errors import ConfigurationError
from app.environment import PREFIX, check_variables, is_service_link
from app.pace import Pace
from app.platforms import with_platform
from app.remote.location import Location, parse_location

ADAPTERS = ("v2", "huggingface", "sagemaker", "vertex", "kserve", "torchserve")
"""The protocols of other servers, by the names that the option `adapters` knows."""

MEMORY_PER_BODY_BYTE = 3
"""How often a body is in memory while it is read, at most: JSON in pieces, put together, and as
text that is being decoded."""


_MODEL = r"^[a-z0-9][a-z0-9._-]{0,63}(:[1-9][0-9]{0,17})?$"


class _Variables(EnvSettingsSource):
    """The options in the environment, without what Kubernetes puts in an option's place."""

    def __call__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in super().__call__().items()
            if not (isinstance(value, str) and is_service_link(PREFIX + name.upper(), value))
        }


class Settings(BaseSettings):
    """Serves a SENet over HTTP. Every flag is also an environment variable, SENET_<NAME>."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        cli_prog_name="python -m app",
        cli_kebab_case=True,
        cli_exit_on_error=False,
        cli_hide_none_type=True,
        use_attribute_docstrings=True,
        frozen=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for every interface."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """TCP port to listen on; 0 lets the system choose one."""
    uds: Path | None = None
    """Unix socket to listen on in place of host and port. A socket that systemd passes goes before
    both."""
    operations_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """A second TCP port, on which health and /metrics answer as well, and nothing else. It is the
    last one to close; none by default."""
    grpc_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """TCP port on which the Open Inference Protocol is served over gRPC as well; none by default.
    It needs the extra grpc."""
    model_repository: Location = Path("models")
    """Folder that holds <name>/<version>/manifest.json, or the URI of one elsewhere (s3://, gs://,
    az://, https://), which needs the extra of that name. Where the folder is missing and the option
    is not set, an installed package serves the model that it brings along."""
    model: Annotated[str, Field(pattern=_MODEL)] = "imagenette"
    """Model to serve: a name (its highest version) or name:version. With models the one that
    answers where a request names none."""
    models: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated models to serve side by side: names (their highest version), name:version,
    or all; by default model alone. The first one answers where a request names none."""
    repository_poll_seconds: Annotated[float, Field(ge=0, le=86_400)] = 0
    """How often the repository is looked through for higher versions, in seconds; 0: never. What
    is found is loaded, tested and made stable, and the version before is unloaded."""
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    """What runs the model; auto takes the best that loads, a named one is required."""
    precision: Literal["auto", "fp32", "fp16", "int8"] = "auto"
    """Variant of the model; auto measures at start which is the fastest on this machine, or takes
    fp16 on a GPU."""
    max_accuracy_drop: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Points of top-1 accuracy that precision auto may give up for speed."""
    max_batch_size: Annotated[int, Field(ge=0, le=1024)] = 0
    """Largest number of images in one batch; 0: 8 on a CPU, 64 on a GPU. On a CPU fewer are taken
    where the measurement at start finds that more bring little, and twice those while many images
    wait."""
    max_queue_delay_ms: Annotated[float, Field(ge=0, le=10_000)] = 0
    """How long a batch that is not full may wait for more images, in milliseconds."""
    max_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """Images admitted and not yet answered; more are refused with 429."""
    request_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 10_000
    """A request's deadline in milliseconds, from the end of its body; a client may ask for less."""
    inference_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 30_000
    """How long one batch may take, in milliseconds; the engine counts as hung after it, and the
    process ends for its orchestrator to replace."""
    head_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 10_000
    """How long a request's head may take to arrive, in milliseconds."""
    body_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 10_000
    """How slow a request's body may be at first, in milliseconds; after that
    min_body_bytes_per_second counts. A client that reads its answer has as much time."""
    min_body_bytes_per_second: Annotated[int, Field(ge=1)] = 1024
    """Lowest average rate of a body after body_timeout_ms, and of an answer that a client reads."""
    max_body_bytes: Annotated[int, Field(ge=1)] = 32 * 1024 * 1024
    """Largest request body in bytes."""
    max_head_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024
    """Largest request line and headers in bytes."""
    max_buffered_bytes: Annotated[int, Field(ge=0)] = 0
    """Bytes that requests hold at once, while they are read and until their images are decoded;
    more are refused with 429. 0: what the memory limit leaves, at most 512 MiB."""
    max_connections: Annotated[int, Field(ge=1)] = 4096
    """Open connections; beyond them idle ones are closed, and else 503 is answered. An address
    that is not a trusted proxy may have as many as are left free."""
    max_images_per_request: Annotated[int, Field(ge=1)] = 64
    """Most images in one request."""
    max_answer_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    """Largest answer in bytes, estimated before anything is computed; what asks for more is
    refused with 422."""
    # Pillow itself refuses, or warns about, what is above 89,478,485 pixels.
    max_image_pixels: Annotated[int, Field(ge=1, le=89_000_000)] = 40_000_000
    """Largest width * height of an image."""
    decode_threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Threads that decode images, and on a CPU run batches too; 0: one per available core."""
    decode_by: Literal["auto", "threads", "processes"] = "auto"
    """What those threads do with an image: decode it, or have it decoded by a process of its own
    each; auto takes processes from 5 on where memory is plenty, for the threads of one process then
    hinder each other."""
    inference_threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Threads of one inference run on the CPU; 0: measured at start. As many runs go side by side
    as the cores allow."""
    cache_directory: Path | None = None
    """Folder that keeps what was measured at start, and models that are copied from elsewhere; by
    default the user's cache folder. Where nothing is copied, the service does without one that
    cannot be written."""
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 20
    """How long shutting down may wait for accepted requests."""
    feedback_seconds: Annotated[float, Field(ge=0, le=2_592_000)] = 0
    """How long answers are kept for labels that come late to /feedback, in seconds, those to
    50,000 images at most; 0: not at all."""
    records_share: Annotated[float, Field(ge=0, le=1)] = 0
    """Share of the requests to /classify that are recorded with their answers, as JSON lines."""
    records_uri: Location | None = None
    """Where records go: a folder, or a URI that begins with s3://, gs:// or az://, which needs the
    extra of that name."""
    records_images: bool = False
    """Whether records hold the images themselves, not only their digests."""
    adapters: str = "all"
    """Protocols of other servers that are served: all, none, or some of v2, huggingface, sagemaker,
    vertex, kserve and torchserve, comma-separated."""
    api_keys_file: Path | None = None
    """JSON file of hashed API keys, reread when it changes; without it everybody may call."""
    open_operations: bool = True
    """Whether /metrics, /models, /docs and /openapi.json answer without an API key; /docs does not
    answer at all then. Probes always do."""
    demo: bool = True
    """Whether / is a page to try the service on; without it, / leads to /docs."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated origins whose pages may call the service; * for all."""
    root_path: str = ""
    """Path prefix that a proxy strips before it forwards."""
    forwarded_allow_ips: str = "127.0.0.1"
    """Comma-separated proxies whose X-Forwarded-* headers count; * for all."""
    tls_certificate_file: Path | None = None
    """PEM certificate chain; with tls_key_file the service speaks HTTPS. Both are reread when they
    change."""
    tls_key_file: Path | None = None
    """PEM private key."""
    log_format: Literal["json", "text"] = "json"
    """Log as JSON lines or as text."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged; SIGHUP switches to debug and back."""
    access_log_share: Annotated[float, Field(ge=0, le=1)] = 1
    """Share of successful requests that leave a line in the log; failures always do."""
    log_addresses: bool = True
    """Whether the log names callers without an API key by their address."""
    tracing: bool = False
    """Whether spans are sent over OTLP, as the OTEL_* variables say; needs the extra otel."""
    otlp_metrics: bool = False
    """Whether the series of /metrics are sent over OTLP as well; needs the extra otel."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where options come from besides the command line, the first one winning."""
        return init_settings, _Variables(settings_cls)

    @property
    def served_adapters(self) -> frozenset[str]:
        """The adapters that are switched on, by name."""
        named = {name.strip() for name in self.adapters.split(",")}
        return frozenset(ADAPTERS if "all" in named else named & set(ADAPTERS))

    @property
    def body_pace(self) -> Pace:
        """How slowly a body may come, and an answer go."""
        return Pace(self.body_timeout_ms / 1000, self.min_body_bytes_per_second)

    @field_validator("cors_origins", "models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            items = tuple(item.strip() for item in value.split(",") if item.strip())
            if value.strip() and not items:
                raise ValueError("the list is empty")
            return items
        return value

    @field_validator("model_repository", mode="before")
    @classmethod
    def _is_location(cls, value: object) -> object:
        return parse_location(value) if isinstance(value, str) else value

    @field_validator("records_uri", mode="before")
    @classmethod
    def _is_place_of_records(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        place = parse_location(value, "records_uri") if value else None
        if isinstance(place, str) and place.startswith("http"):
            raise ConfigurationError(
                "records_uri",
                "a web server takes no files",
                "give a folder, or a URI that begins with s3://, gs:// or az://",
            )
        return place

    @field_validator("models")
    @classmethod
    def _are_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            if not re.fullmatch(_MODEL, item):
                raise ConfigurationError(
                    "models",
                    f"{item!r} is not the name of a model",
                    "give names, name:version, or all, with commas between them",
                )
        return value

    @field_validator("adapters")
    @classmethod
    def _names_adapters(cls, value: str) -> str:
        unknown = {name.strip() for name in value.split(",")} - {*ADAPTERS, "all", "none", ""}
        if unknown:
            raise ValueError(f"all, none, or some of {', '.join(ADAPTERS)}; not {min(unknown)!r}")
        return value

    @field_validator("tls_certificate_file", "tls_key_file", "api_keys_file")
    @classmethod
    def _is_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and not value.is_file():
            raise ConfigurationError(
                str(info.field_name), f"{value} is not a file", "give the path of a readable file"
            )
        return value

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for option in ("max_batch_size", "max_images_per_request"):
            value = getattr(self, option)
            if value > self.max_queue_size:
                raise ConfigurationError(
                    option,
                    f"{value} is above max_queue_size ({self.max_queue_size})",
                    f"lower {option} or raise max_queue_size",
                )
        least = MEMORY_PER_BODY_BYTE * self.max_body_bytes
        if 0 < self.max_buffered_bytes < least:
            raise ConfigurationError(
                "max_body_bytes",
                f"a body of {self.max_body_bytes} bytes takes up to {least} while it is read, which"
                f" is above max_buffered_bytes ({self.max_buffered_bytes})",
                "lower max_body_bytes or raise max_buffered_bytes",
            )
        if self.max_queue_delay_ms >= self.request_timeout_ms:
            raise ConfigurationError(
                "max_queue_delay_ms",
                f"{self.max_queue_delay_ms:g} is not below request_timeout_ms "
                f"({self.request_timeout_ms})",
                "lower max_queue_delay_ms or raise request_timeout_ms",
            )
        if (self.records_share > 0) != (self.records_uri is not None):
            missing = "records_share" if self.records_share == 0 else "records_uri"
            raise ConfigurationError(
                missing,
                "records need a share of the requests and a place, and only one of them is set",
                f"set {missing} too, or neither",
            )
        if self.operations_port == self.port != 0:
            raise ConfigurationError(
                "operations_port",
                f"{self.port} is the service's own port",
                "choose another --operations-port (SENET_OPERATIONS_PORT), or none",
            )
        taken = [port for port in (self.port, self.operations_port) if port]
        if self.grpc_port in taken:
            raise ConfigurationError(
                "grpc_port",
                f"{self.grpc_port} is another port of the service",
                "choose another --grpc-port (SENET_GRPC_PORT), or none",
            )
        if self.grpc_port is not None and "v2" not in self.served_adapters:
            raise ConfigurationError(
                "grpc_port",
                f"the protocol that it serves is switched off (adapters={self.adapters})",
                "name v2 in --adapters (SENET_ADAPTERS) too, or leave --grpc-port out",
            )
        if not self.open_operations and self.api_keys_file is None:
            raise ConfigurationError(
                "open_operations",
                "it is off, and without API keys nobody could reach the routes that it closes",
                "set api_keys_file too, or leave it on",
            )
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            missing = "tls_key_file" if self.tls_key_file is None else "tls_certificate_file"
            raise ConfigurationError(
                missing, "only one half of the TLS pair is set", f"set {missing} too, or neither"
            )
        return self


def load_settings(arguments: list[str]) -> Settings:
    """Reads command line and environment.

    Args:
        arguments: the command line without the program's name; `serve` may be the first, as
            Amazon SageMaker starts containers.

    Raises:
        ConfigurationError: on the first option that is wrong.
        SystemExit: after printing the help that `--help` asks for.
    """
    check_variables(os.environ, Settings.model_fields)
    arguments = with_platform(os.environ, arguments)
    try:
        # `_cli_parse_args` is pydantic-settings' documented way to pass a command line.
        settings = Settings(_cli_parse_args=arguments)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]) if first["loc"] else "settings"
        raise ConfigurationError(
            option,
            f"{first['input']!r} is not accepted: {first['msg'][:1].lower()}{first['msg'][1:]}",
            f"correct --{option.replace('_', '-')} or SENET_{option.upper()}",
        ) from error
    except SettingsError as error:
        raise ConfigurationError(
            "command line", str(error).removeprefix("error parsing CLI: "), "see --help"
        ) from error
    if isinstance(settings.model_repository, str):
        return settings
    chosen = "model_repository" in settings.model_fields_set
    repository = or_bundled(settings.model_repository, is_chosen=chosen)
    if repository == settings.model_repository:
        return settings
    return settings.model_copy(update={"model_repository": repository})
