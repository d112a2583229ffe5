/**
 * Every error that this library throws on purpose, the tree of the Python client.
 *
 * SenetClientError
 * ├── InvalidArgument            the caller's mistake; nothing was sent
 * ├── ConnectionFailed           no answer came from the service
 * ├── TimedOut                   no answer came in time
 * ├── UnexpectedAnswer           the answer is not this API's
 * │   └── AnswerOfAnother        the answer belongs to another request
 * ├── ImageError                 this one image cannot be classified
 * │   ├── UnreadableImage        it could not be read; nothing was sent
 * │   ├── UnsupportedImageFormat
 * │   ├── InvalidImage
 * │   └── ImageTooLarge
 * └── ServiceError               the service refused the request
 *     ├── MalformedRequest, InvalidParameter, ModelNotFound, OutputNotAvailable, AnswerTooLarge,
 *     │   LoadConflict, LoadRefused, FeedbackNotFound, FeedbackConflict, BodyTimeout, BodyTooLarge, TooManyImages,
 *     │   UnsupportedMediaType, InferenceFailed, DeadlineExceeded
 *     ├── AccessDenied
 *     │   ├── Unauthenticated
 *     │   └── Forbidden
 *     └── Unavailable            try again later
 *         ├── Overloaded
 *         ├── NotReady
 *         ├── Draining
 *         └── TooManyConnections
 */

/** Root of the tree. */
export class SenetClientError extends Error {
  /** The error's stable name; where the service told of it, the service's own. */
  code = "client_error";
  /** The request's name in the service's log. */
  requestId: string | undefined;
  /** How often the request was sent. */
  attempts = 0;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An argument has a value that cannot be used. */
export class InvalidArgument extends SenetClientError {
  override code = "invalid_argument";
}

/** The service could not be reached, or the connection broke before its answer. */
export class ConnectionFailed extends SenetClientError {
  override code = "connection_failed";
}

/** The call took longer than allowed. */
export class TimedOut extends SenetClientError {
  override code = "timed_out";
}

/** The answer is not one of the API that this client speaks. */
export class UnexpectedAnswer extends SenetClientError {
  override code = "unexpected_answer";
}

/** The answer names another request than the one sent, so it may tell of another image. */
export class AnswerOfAnother extends UnexpectedAnswer {
  override code = "answer_of_another";
}

/** One image cannot be classified, and trying again will not help. */
export class ImageError extends SenetClientError {}

/** The image could not be read on this side. */
export class UnreadableImage extends ImageError {
  override code = "unreadable_image";
}

export class UnsupportedImageFormat extends ImageError {}
export class InvalidImage extends ImageError {}
export class ImageTooLarge extends ImageError {}

/** The service answered with an error; thrown itself only for a code that this version does not know. */
export class ServiceError extends SenetClientError {
  /** The HTTP status code; undefined for one image among several. */
  status: number | undefined;
  /** When the service asked to be tried again, if it did. */
  retryAfterSeconds: number | undefined;
}

export class MalformedRequest extends ServiceError {}
export class InvalidParameter extends ServiceError {}
export class AccessDenied extends ServiceError {}
export class Unauthenticated extends AccessDenied {}
export class Forbidden extends AccessDenied {}
export class ModelNotFound extends ServiceError {}
export class OutputNotAvailable extends ServiceError {}
export class AnswerTooLarge extends ServiceError {}
export class LoadConflict extends ServiceError {}
export class LoadRefused extends ServiceError {}
export class FeedbackNotFound extends ServiceError {}
export class FeedbackConflict extends ServiceError {}
export class BodyTimeout extends ServiceError {}
export class BodyTooLarge extends ServiceError {}
export class TooManyImages extends ServiceError {}
export class UnsupportedMediaType extends ServiceError {}
export class Unavailable extends ServiceError {}
export class Overloaded extends Unavailable {}
export class NotReady extends Unavailable {}
export class Draining extends Unavailable {}
export class TooManyConnections extends Unavailable {}
export class InferenceFailed extends ServiceError {}
export class DeadlineExceeded extends ServiceError {}

type Kind = new (message: string, options?: ErrorOptions) => SenetClientError;

const BY_CODE: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["unsupported_image_format", UnsupportedImageFormat],
  ["invalid_image", InvalidImage],
  ["image_too_large", ImageTooLarge],
  ["malformed_request", MalformedRequest],
  ["invalid_parameter", InvalidParameter],
  ["unauthenticated", Unauthenticated],
  ["forbidden", Forbidden],
  ["model_not_found", ModelNotFound],
  ["output_not_available", OutputNotAvailable],
  ["answer_too_large", AnswerTooLarge],
  ["load_conflict", LoadConflict],
  ["load_refused", LoadRefused],
  ["feedback_not_found", FeedbackNotFound],
  ["feedback_conflict", FeedbackConflict],
  ["body_timeout", BodyTimeout],
  ["body_too_large", BodyTooLarge],
  ["too_many_images", TooManyImages],
  ["unsupported_media_type", UnsupportedMediaType],
  ["overloaded", Overloaded],
  ["not_ready", NotReady],
  ["draining", Draining],
  ["too_many_connections", TooManyConnections],
  ["inference_failed", InferenceFailed],
  ["deadline_exceeded", DeadlineExceeded],
]);

/** The error of one of the service's problem codes. */
export function errorOfCode(code: string, message: string): SenetClientError {
  const error = new (BY_CODE.get(code) ?? ServiceError)(message);
  error.code = code;
  return error;
}
