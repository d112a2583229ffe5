"""Every error the service raises on purpose.

Knows no HTTP; `app.transport.http.problems` maps to it.

SenetError
├── ConfigurationError        start-up: an option is wrong
│   └── StoreUnavailable      a repository elsewhere does not answer now
├── EngineHung                the engine did not come back
└── RequestError              one request or one of its images cannot be answered
    ├── MalformedRequest
    ├── InvalidParameter
    ├── Unauthenticated
    ├── Forbidden
    ├── ModelNotFound
    ├── LoadConflict
    ├── LoadRefused
    ├── FeedbackNotFound
    ├── FeedbackConflict
    ├── BodyTimeout
    ├── BodyTooLarge
    ├── TooManyImages
    ├── OutputNotAvailable
    ├── AnswerTooLarge
    ├── UnsupportedMediaType
    ├── ImageError            one image's own fault
    │   ├── UnsupportedImageFormat
    │   ├── InvalidImage
    │   └── ImageTooLarge
    ├── Unavailable           try again later
    │   ├── Overloaded
    │   ├── NotReady
    │   └── Draining
    ├── InferenceFailed
    └── DeadlineExceeded
"""

from typing import ClassVar, Self


class SenetError(Exception):
    """Root of the tree. The message is one sentence for the person who caused it."""


class ConfigurationError(SenetError):
    """A start-up mistake: the option, what is wrong with it and what to do.

    Args:
        option: the setting's name, as in `Settings`.
        cause: what is wrong.
        remedy: what to do about it.
    """

    def __init__(self, option: str, cause: str, remedy: str) -> None:
        super().__init__(f"{option}: {cause}; {remedy}")
        self.option = option
        self.cause = cause
        self.remedy = remedy


class StoreUnavailable(ConfigurationError):
    """A repository elsewhere does not answer as it should; a later start may succeed."""


class EngineHung(SenetError):
    """A batch did not come back from the engine in time; only a new process can help."""


class RequestError(SenetError):
    """A request, or one image of it, that gets an error for an answer.

    Attributes:
        code: the error's stable name for clients and metrics.
    """

    code: ClassVar[str]

    def alone(self) -> Self:
        """Without its traceback and cause, by which it keeps alive what it came from: a file."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class MalformedRequest(RequestError):
    """The body is not what its content type says."""

    code = "malformed_request"


class InvalidParameter(RequestError):
    """A query parameter or header has a value that is not allowed."""

    code = "invalid_parameter"


class Unauthenticated(RequestError):
    """No API key, or one that is not known."""

    code = "unauthenticated"


class Forbidden(RequestError):
    """The API key lacks the scope."""

    code = "forbidden"


class ModelNotFound(RequestError):
    """The model or version asked for is not loaded."""

    code = "model_not_found"


class LoadConflict(RequestError):
    """The models that are loaded, or being loaded, do not allow this change now."""

    code = "load_conflict"


class LoadRefused(RequestError):
    """A model cannot be loaded; what serves goes on serving. The message begins with the step."""

    code = "load_refused"


class FeedbackNotFound(RequestError):
    """No answer is kept that the feedback could be about."""

    code = "feedback_not_found"


class FeedbackConflict(RequestError):
    """There is a label for the image already."""

    code = "feedback_conflict"


class BodyTimeout(RequestError):
    """The request's body did not arrive in time."""

    code = "body_timeout"


class BodyTooLarge(RequestError):
    """The request's body exceeds the limit."""

    code = "body_too_large"


class TooManyImages(RequestError):
    """The request holds more images than are allowed."""

    code = "too_many_images"


class OutputNotAvailable(RequestError):
    """The model does not have an output that was asked for."""

    code = "output_not_available"


class AnswerTooLarge(RequestError):
    """The answer asked for would exceed the limit."""

    code = "answer_too_large"


class UnsupportedMediaType(RequestError):
    """The content type is none of the accepted ones."""

    code = "unsupported_media_type"


class ImageError(RequestError):
    """One image cannot be classified, and it is that image's fault."""


class UnsupportedImageFormat(ImageError):
    """The bytes are in none of the accepted image formats."""

    code = "unsupported_image_format"


class InvalidImage(ImageError):
    """The image is truncated or corrupt."""

    code = "invalid_image"


class ImageTooLarge(ImageError):
    """The image has more pixels than are allowed."""

    code = "image_too_large"


class Unavailable(RequestError):
    """The service cannot take the request now.

    Args:
        message: one sentence.
        retry_after_seconds: when to try again.
    """

    def __init__(self, message: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Overloaded(Unavailable):
    """The service is at capacity, or the caller has its share of it."""

    code = "overloaded"


class NotReady(Unavailable):
    """The model is not loaded yet, or the service has failed."""

    code = "not_ready"


class Draining(Unavailable):
    """The service is shutting down."""

    code = "draining"


class InferenceFailed(RequestError):
    """The engine failed on the batch that held the image."""

    code = "inference_failed"


class DeadlineExceeded(RequestError):
    """The answer was not there by the request's deadline."""

    code = "deadline_exceeded"
