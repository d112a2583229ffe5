"""Who may call: optional API keys."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import ConfigurationError, Forbidden, Unauthenticated

Scope = Literal["classify", "admin"]


class ApiKey(BaseModel):
    """One key: the SHA-256 of its text, never the text, and what it allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: frozenset[Scope]


class ApiKeys(BaseModel):
    """The keys file: `{"keys": [{"name": "...", "sha256": "...", "scopes": ["classify"]}]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[ApiKey, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a keys file.

        Raises:
            ConfigurationError: if it cannot be read or is not valid.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(
                "api_keys_file", f"{path} cannot be read ({error.strerror})", "make it readable"
            ) from error
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise ConfigurationError(
                "api_keys_file", f"{path}, {where}: {first['msg']}", "correct the file"
            ) from error

    def check(self, key: str | None, scope: Scope) -> None:
        """Lets a caller pass or not.

        Keys are looked up by their hash, so the time taken tells nothing about a key's text.

        Raises:
            Unauthenticated: without a key, or with one that is not known.
            Forbidden: if the key lacks the scope.
        """
        if key is None:
            raise Unauthenticated("send a key as Authorization: Bearer or as X-API-Key")
        digest = hashlib.sha256(key.encode()).hexdigest()
        known = next((entry for entry in self.keys if entry.sha256 == digest), None)
        if known is None:
            raise Unauthenticated("the API key is not known")
        if scope not in known.scopes:
            raise Forbidden(f"the key {known.name!r} lacks the scope {scope}")


def require(keys: ApiKeys | None, scope: Scope) -> Callable[..., None]:
    """A FastAPI dependency that lets only keys with `scope` pass; all pass if there are no keys."""

    def check(
        authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
        x_api_key: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> None:
        if keys is None:
            return
        kind, _, token = (authorization or "").partition(" ")
        keys.check(token.strip() if kind.lower() == "bearer" else x_api_key, scope)

    return check
