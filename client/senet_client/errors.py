"""Every error this library raises on purpose.

SenetClientError
├── InvalidArgument            the caller's mistake; nothing was sent
├── ClientClosed               the client was used after `close`
├── ConnectionFailed           no answer came from the service
│   └── CertificateRejected
├── TimedOut                   no answer came in time
├── UnexpectedAnswer           the answer is not this API's: another service or API version
│   └── AnswerOfAnother        the answer belongs to another request
├── ImageError                 this one image cannot be classified
│   ├── UnreadableImage        it could not be read; nothing was sent
│   ├── UnsupportedImageFormat
│   ├── InvalidImage
│   └── ImageTooLarge          too many pixels, or too many bytes to send
└── ServiceError               the service refused the request
    ├── MalformedRequest
    ├── InvalidParameter
    ├── AccessDenied
    │   ├── Unauthenticated
    │   └── Forbidden
    ├── ModelNotFound
    ├── OutputNotAvailable
    ├── AnswerTooLarge
    ├── LoadConflict
    ├── LoadRefused
    ├── FeedbackNotFound
    ├── FeedbackConflict
    ├── BodyTimeout
    ├── BodyTooLarge
    ├── TooManyImages
    ├── UnsupportedMediaType
    ├── Unavailable            try again later
    │   ├── Overloaded
    │   ├── NotReady
    │   ├── Draining
    │   └── TooManyConnections
    ├── InferenceFailed
    └── DeadlineExceeded
"""

from collections.abc import Mapping
from types import MappingProxyType


class SenetClientError(Exception):
    """Root of the tree. The message is one sentence for a person, then image and URL in brackets.

    Attributes:
        code: the error's stable name; where the service told of it, the service's own.
        request_id: the request's name in the service's log; None if nothing was sent.
        attempts: how often the request was sent.
        names: the caller's name for each image that was asked about, None for those without.
        url: where the request was, or would have been, sent; None if that is not known.
    """

    code: str = "client_error"
    request_id: str | None = None
    attempts: int = 0
    names: tuple[str | None, ...] = ()
    url: str | None = None

    @property
    def name(self) -> str | None:
        """The caller's name for the image; None if it has none, or there were several."""
        return self.names[0] if len(self.names) == 1 else None

    @property
    def message(self) -> str:
        """The sentence alone."""
        return super().__str__()

    def to_dict(self) -> dict[str, object]:
        """The error as JSON has it."""
        return {
            "name": self.name,
            "error": {"code": self.code, "message": self.message},
            "url": self.url,
            "request_id": self.request_id,
            "attempts": self.attempts,
        }

    def __str__(self) -> str:
        context = ", ".join(filter(None, (_told(self.names), self.url)))
        return f"{self.message} [{context}]" if context else self.message


def _told(names: tuple[str | None, ...]) -> str:
    """Names for a person; what is not text is escaped, for not every stream takes it."""
    if not names or (names[0] is None and len(names) == 1):
        return ""
    first = "an unnamed image" if names[0] is None else names[0]
    shown = first.encode("utf-8", "backslashreplace").decode()
    return shown if len(names) == 1 else f"{shown} and {len(names) - 1} more"


class InvalidArgument(SenetClientError, ValueError):
    """An argument has a value that cannot be used."""

    code = "invalid_argument"


class ClientClosed(SenetClientError, RuntimeError):
    """The client was used after it had been closed."""

    code = "client_closed"


class ConnectionFailed(SenetClientError):
    """The service could not be reached, or the connection broke before its answer."""

    code = "connection_failed"


class CertificateRejected(ConnectionFailed):
    """The service's TLS certificate has expired or is not trusted."""

    code = "certificate_rejected"


class TimedOut(SenetClientError):
    """A phase of the request, or the call as a whole, took longer than allowed."""

    code = "timed_out"


class UnexpectedAnswer(SenetClientError):
    """The answer is not one of the API that this client speaks."""

    code = "unexpected_answer"


class AnswerOfAnother(UnexpectedAnswer):
    """The answer names another request than the one sent, so it may tell of another image."""

    code = "answer_of_another"


class ImageError(SenetClientError):
    """One image cannot be classified, and trying again will not help."""


class UnreadableImage(ImageError):
    """The image could not be read on this side."""

    code = "unreadable_image"


class UnsupportedImageFormat(ImageError):
    """The bytes are in none of the image formats that the service accepts."""

    code = "unsupported_image_format"


class InvalidImage(ImageError):
    """The image is truncated or corrupt."""

    code = "invalid_image"


class ImageTooLarge(ImageError):
    """The image has more pixels, or more bytes, than are allowed."""

    code = "image_too_large"


class ServiceError(SenetClientError):
    """The service answered a request with an error.

    Raised itself only for a code that this version of the client does not know.

    Attributes:
        status: the HTTP status; None for an error of one image among several.
        retry_after_seconds: when the service asked to be tried again, if it did.
    """

    status: int | None = None
    retry_after_seconds: float | None = None


class MalformedRequest(ServiceError):
    """The body is not what its content type says."""

    code = "malformed_request"


class InvalidParameter(ServiceError):
    """A parameter or header has a value that is not allowed."""

    code = "invalid_parameter"


class AccessDenied(ServiceError):
    """The service does not let this caller in."""


class Unauthenticated(AccessDenied):
    """No API key was sent, or one that the service does not know."""

    code = "unauthenticated"


class Forbidden(AccessDenied):
    """The API key lacks the scope."""

    code = "forbidden"


class ModelNotFound(ServiceError):
    """The model or version asked for is not served."""

    code = "model_not_found"


class OutputNotAvailable(ServiceError):
    """The model does not have an output that was asked for."""

    code = "output_not_available"


class AnswerTooLarge(ServiceError):
    """The answer asked for would exceed the service's limit."""

    code = "answer_too_large"


class LoadConflict(ServiceError):
    """What is loaded does not allow this change now."""

    code = "load_conflict"


class LoadRefused(ServiceError):
    """A model could not be loaded; the message begins with the step that failed."""

    code = "load_refused"


class FeedbackNotFound(ServiceError):
    """The service keeps no answer that the feedback could be about."""

    code = "feedback_not_found"


class FeedbackConflict(ServiceError):
    """The image has a label already."""

    code = "feedback_conflict"


class BodyTimeout(ServiceError):
    """The request's body took too long to arrive."""

    code = "body_timeout"


class BodyTooLarge(ServiceError):
    """The request's body exceeds the service's limit."""

    code = "body_too_large"


class TooManyImages(ServiceError):
    """The request holds more images than the service allows."""

    code = "too_many_images"


class UnsupportedMediaType(ServiceError):
    """The service does not accept the request's content type."""

    code = "unsupported_media_type"


class Unavailable(ServiceError):
    """The service cannot take the request now."""


class Overloaded(Unavailable):
    """The service is at capacity."""

    code = "overloaded"


class NotReady(Unavailable):
    """The service is loading its model, or has failed."""

    code = "not_ready"


class Draining(Unavailable):
    """The service is shutting down."""

    code = "draining"


class TooManyConnections(Unavailable):
    """The service has as many connections open as it allows."""

    code = "too_many_connections"


class InferenceFailed(ServiceError):
    """The service's engine failed on the image's batch."""

    code = "inference_failed"


class DeadlineExceeded(ServiceError):
    """The service had no result by the request's deadline."""

    code = "deadline_exceeded"


BY_CODE: Mapping[str, type[SenetClientError]] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            UnsupportedImageFormat,
            InvalidImage,
            ImageTooLarge,
            MalformedRequest,
            InvalidParameter,
            Unauthenticated,
            Forbidden,
            ModelNotFound,
            OutputNotAvailable,
            AnswerTooLarge,
            LoadConflict,
            LoadRefused,
            FeedbackNotFound,
            FeedbackConflict,
            BodyTimeout,
            BodyTooLarge,
            TooManyImages,
            UnsupportedMediaType,
            Overloaded,
            NotReady,
            Draining,
            TooManyConnections,
            InferenceFailed,
            DeadlineExceeded,
        )
    }
)
"""The service's problem codes, each with its error."""
