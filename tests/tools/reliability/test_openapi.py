"""The service answers what its OpenAPI document allows, and what it forbids, as documented."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import status_code_conformance

from tests.support.server import LiveServer

EXAMPLES = 20
OPERATIONS = {"/classify", "/livez", "/readyz", "/startupz", "/metrics", "/models"}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.filterwarnings("ignore")  # schemathesis's own remarks on what it cannot negate
def test_answers_are_documented(server: LiveServer, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert {operation.path for operation in operations} >= OPERATIONS
    if mode is GenerationMode.NEGATIVE:  # the others take nothing that could be wrong
        operations = [operation for operation in operations if operation.path == "/classify"]
    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def attempt(case: schemathesis.Case) -> None:  # type: ignore[type-arg]  # of any operation
            response = case.call()
            checks = [status_code_conformance]
            if response.status_code == 504:  # only whoever asks for it gets a deadline so short
                assert "x-request-timeout-ms" in (case.headers or {})
            else:
                checks.append(not_a_server_error)
            case.validate_response(response, checks=checks)

        attempt()
    assert server.failures == []
