"""The routes of the page: its files, and nothing else. What it shows comes from the API."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from app.transport.http.demo.files import PAGE, PageFile, read_files

# Nothing inline and nothing from elsewhere. Photos and thumbnails are objects of the page's own.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def demo_router(*, docs: bool, feedback: bool, open_inference_protocol: bool) -> APIRouter:
    """The page at `/`, and what it consists of below `/demo`.

    Args:
        docs: whether there are pages of documentation to lead to.
        feedback: whether a wrong answer can be told.
        open_inference_protocol: whether that is spoken, so that an example of it may be given.
    """
    files = read_files()
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def page(request: Request) -> Response:
        return _answer(request, files[PAGE])

    @router.get("/demo/about.json")
    async def about() -> Mapping[str, object]:
        return {
            "docs": docs,
            "feedback": feedback,
            "open_inference_protocol": open_inference_protocol,
        }

    @router.get("/demo/{name:path}")
    async def file(name: str, request: Request) -> Response:
        found = files.get(name)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "the page has no such file")
        return _answer(request, found)

    return router


def _answer(request: Request, file: PageFile) -> Response:
    headers = {
        "etag": file.etag,
        "cache-control": "no-cache",  # asked for anew each time, and sent only if it has changed
        "content-security-policy": _POLICY,
        "permissions-policy": "camera=(self), geolocation=(), microphone=()",
    }
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.body, headers=headers, media_type=file.media_type)
