"""What came of an attempt: whether it is its own answer, and which error it tells of."""

import ssl

import httpx

from senet_client.error_answers import parse_error
from senet_client.errors import (
    AnswerOfAnother,
    CertificateRejected,
    ConnectionFailed,
    InvalidArgument,
    SenetClientError,
    TimedOut,
    UnexpectedAnswer,
)


def is_of_another(response: httpx.Response, request_id: str | None) -> bool:
    """Whether a response names another request than the one that was sent."""
    echoed = response.headers.get("x-request-id")
    return bool(echoed) and echoed != request_id


def check_request_id(response: httpx.Response, request_id: str) -> None:
    """Checks that a response is the answer to the request.

    Raises:
        AnswerOfAnother: if it names another. One without a name is a proxy's own.
    """
    if is_of_another(response, request_id):
        raise AnswerOfAnother(
            f"the answer is that of the request {response.headers['x-request-id']!r} instead of"
            f" {request_id!r}; does a proxy replace the header X-Request-ID, or mix up answers?"
        )


def error_of(
    outcome: "httpx.Response | httpx.RequestError | TimeoutError | None",
) -> SenetClientError:
    """The error that an attempt ended in."""
    if isinstance(outcome, httpx.Response):
        return parse_error(outcome)
    if isinstance(outcome, httpx.TimeoutException | TimeoutError):
        # A connection that cannot be made in time is a failed connection.
        kind = ConnectionFailed if isinstance(outcome, httpx.ConnectTimeout) else TimedOut
        return _because(kind(f"no answer in time ({type(outcome).__name__})"), outcome)
    if isinstance(outcome, httpx.DecodingError):
        return _because(UnexpectedAnswer(f"the answer cannot be decoded ({outcome})"), outcome)
    if isinstance(outcome, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return _because(InvalidArgument(str(outcome)), outcome)
    certificate = _certificate_error(outcome)
    if certificate is not None:
        return _because(
            CertificateRejected(f"the service's certificate: {certificate.verify_message}"), outcome
        )
    return _because(
        ConnectionFailed(f"no connection to the service ({_cause(outcome)})"),
        outcome,
    )


def _cause(error: BaseException | None) -> str:
    """What the system said, for the libraries between may say less."""
    told = str(error) or type(error).__name__
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            told = error.strerror
        error = error.__cause__ or error.__context__
    return told


def _because(error: SenetClientError, cause: BaseException | None) -> SenetClientError:
    error.__cause__ = cause
    return error


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None
