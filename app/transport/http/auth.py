"""Who may call: optional API keys."""

import base64
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers
from starlette.types import Scope as ConnectionScope

from app.contract.errors import ConfigurationError, Forbidden, Unauthenticated
from app.contract.repeated_keys import repeated_key
from app.contract.strict import first_fault
from app.telemetry.log import annotate

logger = logging.getLogger(__name__)

Scope = Literal["classify", "feedback", "admin"]

# Of IPv6 with a zone: 45 characters, "%" and an interface's 15.
_LONGEST_ADDRESS = 61


class ApiKey(BaseModel):
    """One key: the SHA-256 of its text, never the text, and what it allows.

    A plain hash is enough: keys are 256 random bits, so there is nothing to guess.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: frozenset[Scope]
    expires: AwareDatetime | None = None

    def has_expired(self, now: datetime) -> bool:
        """Whether it is no longer accepted."""
        return self.expires is not None and self.expires <= now


class ApiKeys(BaseModel):
    """The keys file: `{"keys": [{"name": "...", "sha256": "...", "scopes": ["classify"]}]}`.

    A key may have `"expires": "2027-01-31T00:00:00Z"`, from when on it is refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[ApiKey, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a keys file.

        Raises:
            ConfigurationError: if it cannot be read or is not valid.
        """
        try:
            text = path.read_bytes()
            keys = cls.model_validate_json(text)
        except OSError as error:
            raise ConfigurationError(
                "api_keys_file", f"{path} cannot be read ({error.strerror})", "make it readable"
            ) from error
        except ValidationError as error:
            raise ConfigurationError(
                "api_keys_file", f"{path}, {first_fault(error)}", "correct the file"
            ) from error
        if (repeated := repeated_key(text)) is not None:
            raise ConfigurationError(
                "api_keys_file",
                f"{path}, {repeated}: stands twice in one object",
                "correct the file",
            )
        return keys

    def find(self, key: str) -> ApiKey | None:
        """The entry of a key, or None.

        The time it takes tells nothing about a key's text, nor about a hash.
        """
        digest = hashlib.sha256(key.encode()).hexdigest()
        found = [entry for entry in self.keys if hmac.compare_digest(entry.sha256, digest)]
        return found[0] if found else None


class KeyFile:
    """The keys file as it is now: it is reread when it changes.

    A file that has become invalid is logged and ignored; the keys read before stay in force.

    Args:
        path: the file.

    Raises:
        ConfigurationError: if it is not valid to begin with.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()
        self._keys = ApiKeys.read(path)

    def current(self) -> ApiKeys:
        """The keys in force."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._keys = ApiKeys.read(self._path)
                logger.info("API keys reread: %d", len(self._keys.keys))
            except ConfigurationError as error:
                logger.error("API keys not reread: %s", error)  # noqa: TRY400 - no traceback
        return self._keys

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def address(connection: ConnectionScope) -> str:
    """The client's address, or the beginning of what a trusted proxy passes on as that."""
    client = connection["client"]
    return str(client[0])[:_LONGEST_ADDRESS] if client else "unknown"


def identifier(
    keys: KeyFile | None,
    scope: Scope | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Callable[[ConnectionScope], str]:
    """What tells who calls, and refuses who may not.

    Args:
        keys: the keys; without them everybody may call.
        scope: what the key must allow; None for any known key.
        now: the time of day that keys expire by.

    Returns:
        A callable that takes the connection's ASGI scope, gives the key's name, or without keys
        the client's address, and raises `Unauthenticated` or `Forbidden`.
    """

    def identify(connection: ConnectionScope) -> str:
        if keys is None:
            return address(connection)
        key = _key(Headers(scope=connection))
        if not key:
            raise Unauthenticated("send a key as Authorization: Bearer or as X-API-Key")
        entry = keys.current().find(key)
        if entry is None:
            raise Unauthenticated("the API key is not known")
        annotate(caller=entry.name)
        if entry.has_expired(now()):
            raise Unauthenticated(f"the key {entry.name!r} expired at {entry.expires}")
        if scope is not None and scope not in entry.scopes:
            raise Forbidden(f"the key {entry.name!r} lacks the scope {scope}")
        return entry.name

    return identify


def admin_identifier(keys: KeyFile | None) -> Callable[[ConnectionScope], str]:
    """The same for what changes the service: without keys nobody may."""
    if keys is not None:
        return identifier(keys, "admin")

    def refuse(_: ConnectionScope) -> str:
        raise Forbidden(
            "it needs an API key with the scope admin, and the service has no keys: start it with"
            " --api-keys-file (SENET_API_KEYS_FILE)"
        )

    return refuse


def _key(headers: Headers) -> str | None:
    """The key that a request brings: as a bearer token, a password or X-API-Key."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    if kind.lower() == "basic":  # all that some clients can send (RFC 7617); any name will do
        try:
            return base64.b64decode(token, validate=True).decode().partition(":")[2]
        except ValueError:
            return None
    return headers.get("x-api-key")


def authoriser(identify: Callable[[ConnectionScope], str]) -> Callable[[Request], Awaitable[str]]:
    """The same as a FastAPI dependency."""

    # Async although it awaits nothing: FastAPI sends plain functions through a thread.
    async def authorise(request: Request) -> str:
        return identify(request.scope)

    return authorise
