export class SenetClientError extends Error{code = "client_error";requestId;attempts = 0;constructor(message, options){super(message, options);this.name = new.target.name;}
}
export class InvalidArgument extends SenetClientError{code = "invalid_argument";}
export class ConnectionFailed extends SenetClientError{code = "connection_failed";}
export class TimedOut extends SenetClientError{code = "timed_out";}
export class UnexpectedAnswer extends SenetClientError{code = "unexpected_answer";}
export class AnswerOfAnother extends UnexpectedAnswer{code = "answer_of_another";}
export class ImageError extends SenetClientError{}
export class UnreadableImage extends ImageError{code = "unreadable_image";}
export class UnsupportedImageFormat extends ImageError{}
export class InvalidImage extends ImageError{}
export class ImageTooLarge extends ImageError{}
export class ServiceError extends SenetClientError{status;retryAfterSeconds;}
export class MalformedRequest extends ServiceError{}
export class InvalidParameter extends ServiceError{}
export class AccessDenied extends ServiceError{}
export class Unauthenticated extends AccessDenied{}
export class Forbidden extends AccessDenied{}
export class ModelNotFound extends ServiceError{}
export class OutputNotAvailable extends ServiceError{}
export class AnswerTooLarge extends ServiceError{}
export class LoadConflict extends ServiceError{}
export class LoadRefused extends ServiceError{}
export class FeedbackNotFound extends ServiceError{}
export class FeedbackConflict extends ServiceError{}
export class BodyTimeout extends ServiceError{}
export class BodyTooLarge extends ServiceError{}
export class TooManyImages extends ServiceError{}
export class UnsupportedMediaType extends ServiceError{}
export class Unavailable extends ServiceError{}
export class Overloaded extends Unavailable{}
export class NotReady extends Unavailable{}
export class Draining extends Unavailable{}
export class TooManyConnections extends Unavailable{}
export class InferenceFailed extends ServiceError{}
export class DeadlineExceeded extends ServiceError{}
const BY_CODE = new Map([
["unsupported_image_format", UnsupportedImageFormat],["invalid_image", InvalidImage],["image_too_large", ImageTooLarge],["malformed_request", MalformedRequest],["invalid_parameter", InvalidParameter],["unauthenticated", Unauthenticated],["forbidden", Forbidden],["model_not_found", ModelNotFound],["output_not_available", OutputNotAvailable],["answer_too_large", AnswerTooLarge],["load_conflict", LoadConflict],["load_refused", LoadRefused],["feedback_not_found", FeedbackNotFound],["feedback_conflict", FeedbackConflict],["body_timeout", BodyTimeout],["body_too_large", BodyTooLarge],["too_many_images", TooManyImages],["unsupported_media_type", UnsupportedMediaType],["overloaded", Overloaded],["not_ready", NotReady],["draining", Draining],["too_many_connections", TooManyConnections],["inference_failed", InferenceFailed],["deadline_exceeded", DeadlineExceeded],]);export function errorOfCode(code, message){const error = new (BY_CODE.get(code) ?? ServiceError)(message);error.code = code;return error;}
