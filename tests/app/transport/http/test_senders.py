"""What clients in the field send: each is read, or refused with a sentence that says why."""

import base64
import json
from urllib.parse import quote

import httpx
import pytest

from tests.support.colours import COLOURS
from tests.support.http import assert_problem, post_image, top_classes
from tests.support.images import encode, photo

RED = COLOURS.index((224, 32, 32))
IMAGE = encode(photo(COLOURS[RED]))
BASE64 = base64.b64encode(IMAGE).decode()
NAME = "фото 1.png"


def post_data(client: httpx.Client, data: str) -> httpx.Response:
    return client.post("/classify", json={"images": [{"data": data}]})


def post_form(
    client: httpx.Client, body: bytes, content_type: str = "multipart/form-data; boundary=B"
) -> httpx.Response:
    headers = {"content-type": content_type}
    return client.post("/classify", content=body, headers=headers)


def part(
    data: bytes = IMAGE, *fields: str, disposition: str = 'name="a"; filename="a.png"'
) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *fields, "", ""]
    return "\r\n".join(lines).encode() + data


def form(*parts: bytes) -> bytes:
    return b"".join(b"--B\r\n" + each + b"\r\n" for each in parts) + b"--B--\r\n"


def names(response: httpx.Response) -> list[str | None]:
    assert response.status_code == 200, response.text
    return [item["name"] for item in response.json()["results"]]


LINES = base64.encodebytes(IMAGE).decode()
URL_SAFE = base64.urlsafe_b64encode(IMAGE).decode()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(BASE64 + "\n", id="a line feed at the end"),
        pytest.param(LINES, id="lines"),
        pytest.param(LINES.replace("\n", "\r\n"), id="lines of CR LF"),
        pytest.param(LINES.replace("\n", "\r\n\t "), id="lines that are set in"),
        pytest.param(LINES.replace("\n", " "), id="lines joined by spaces"),
        pytest.param(LINES.replace("\n", " \n"), id="spaces at the ends of lines"),
        pytest.param(BASE64.rstrip("="), id="no padding"),
        pytest.param(LINES.rstrip("=\n") + "\n", id="lines without padding"),
        pytest.param(URL_SAFE, id="the alphabet of URLs"),
        pytest.param(URL_SAFE.rstrip("="), id="the alphabet of URLs without padding"),
        pytest.param("\ufeff" + BASE64, id="byte order mark"),
        pytest.param("data:image/png;base64," + LINES, id="data URI in lines"),
        pytest.param("\n data:image/png;base64," + BASE64, id="data URI after white space"),
        pytest.param("DATA:image/png;base64," + BASE64, id="scheme in capitals"),
        pytest.param("data:image/png;BASE64," + BASE64, id="base64 in capitals"),
        pytest.param("data:;base64," + BASE64, id="data URI without a type"),
        pytest.param("data:image/png;name=a.png;base64," + BASE64, id="data URI with a name"),
        pytest.param("data:image/png;base64," + quote(BASE64, safe=""), id="escaped data URI"),
        pytest.param("data:image/png;base64," + BASE64.replace("+", "%2b"), id="small escapes"),
    ],
)
def test_base64_as_it_is_written(client: httpx.Client, data: str) -> None:
    assert top_classes(post_data(client, data)) == [RED]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BASE64[:40] + "!" + BASE64[41:], "'!' is not base64"),
        (BASE64[:40] + "ä" + BASE64[41:], "not base64"),
        (BASE64[:41] + " " + BASE64[42:], "+ was decoded like that of a form"),
        ("QUJDR", "cut short"),
        ("QQ==" + BASE64, "padded where"),
        ("data:image/png," + BASE64, "must hold base64"),
        ("data:image/png;base64", "not base64"),
        ("https://example.org/a.jpg", "not fetched"),
        ("HTTP://example.org/a.jpg", "not fetched"),
        (" s3://bucket/a.jpg", "not fetched"),
        ("file:///etc/passwd", "not fetched"),
        (
            "blob:https://example.org/9115d58c-bcda-ff47-86e5-083e9a215304",
            "(blob:); images are not",
        ),
        ("blob:null/9115d58c-bcda-ff47-86e5-083e9a215304", "(blob:); images are not"),
        ("FILE:/C:/photos/a.jpg", "(file:); images are not"),
        ("cid:part1@example.org", "not fetched"),
        ("content://media/external/images/1", "not fetched"),
    ],
)
def test_what_is_no_base64_is_refused_with_the_reason(
    client: httpx.Client, data: str, why: str
) -> None:
    problem = assert_problem(post_data(client, data), 400, "malformed_request")
    assert problem["detail"].startswith("images.0.data: ")
    assert why in problem["detail"]


@pytest.mark.parametrize(
    "document",
    [
        {"images": [{"url": "https://example.org/a.jpg"}]},
        {"images": [{"image_url": "a.jpg"}]},
        {"images": ["https://example.org/a.jpg"]},
        {"url": "https://example.org/a.jpg"},
        {"images": ["blob:https://example.org/9115d58c"]},
        {"images": [{"data": {"uri": "a.jpg"}}]},
    ],
)
def test_an_image_by_address_is_refused_with_the_reason(
    client: httpx.Client, document: object
) -> None:
    problem = assert_problem(client.post("/classify", json=document), 400, "malformed_request")
    assert "images are not fetched from URLs" in problem["detail"]


def test_the_reason_is_not_told_where_it_is_another(client: httpx.Client) -> None:
    response = client.post("/classify", json={"images": [{"name": "a.jpg"}]})
    detail = assert_problem(response, 400, "malformed_request")["detail"]
    assert detail == "images.0.data: Field required"


def test_json_with_a_byte_order_mark(client: httpx.Client) -> None:
    document = json.dumps({"images": [{"data": BASE64, "name": NAME}]}, ensure_ascii=False)
    headers = {"content-type": "application/json; charset=utf-8"}
    response = client.post("/classify", content=document.encode("utf-8-sig"), headers=headers)
    assert names(response) == [NAME]


@pytest.mark.parametrize("order", ["", "-le", "-be"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_json_in_another_encoding_is_told_which_one_it_is(
    client: httpx.Client, encoding: str, order: str
) -> None:
    body = json.dumps({"images": [{"data": BASE64}]}).encode(encoding + order)
    headers = {"content-type": "application/json"}
    problem = assert_problem(
        client.post("/classify", content=body, headers=headers), 400, "malformed_request"
    )
    assert problem["detail"] == f"the JSON is in {encoding.upper()}; send it in UTF-8"


@pytest.mark.parametrize("kind", ["binary/octet-stream", "Binary/Octet-Stream; charset=binary"])
def test_octets_by_their_other_name(client: httpx.Client, kind: str) -> None:
    assert top_classes(post_image(client, IMAGE, headers={"content-type": kind})) == [RED]


ESCAPED = quote(NAME)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (f'filename="{NAME}"', NAME),
        (f"filename*=utf-8''{ESCAPED}", NAME),
        (f"filename*=UTF-8'ru'{ESCAPED}", NAME),
        (f"filename*=\"utf-8''{ESCAPED}\"", NAME),
        (f"filename=x.png; filename*=utf-8''{ESCAPED}", NAME),
        (f"filename*=utf-8''{ESCAPED}; filename=x.png", NAME),
        ("filename*=iso-8859-1''gr%fcn.png", "grün.png"),
        ("filename*=windows-1252''10%80%20gr%fcn.png", "10€ grün.png"),
        ("filename*=Windows-1251'ru'%ea%ee%f2.png", "кот.png"),
        ("filename*=Shift_JIS'ja'%94%4c.png", "猫.png"),
        ("filename*=gb18030''%c3%a8.png", "猫.png"),
        ("filename*=iso-8859-12''gr%fcn.png", "gr\ufffdn.png"),
        ("filename*=utf-7''+2AA-.png", "+2AA-.png"),
        ("filename*=x-unknown''a%fc.png; filename=b.png", "b.png"),
        ("filename=x.png; filename*=utf-7''+2AA-", "x.png"),
        (f"filename*0*=utf-8''{ESCAPED[:12]}; filename*1*={ESCAPED[12:]}", NAME),
        ('filename*0="a;b"; filename*1=".png"', "a;b.png"),
        (f'filename="=?utf-8?B?{base64.b64encode(NAME.encode()).decode()}?="', NAME),
        ('filename="=?utf-8?Q?gr=C3=BCn.png?="', "grün.png"),
        ('filename="=?none?B?AAAA?="', "=?none?B?AAAA?="),
        ('filename="=?utf-8?B?A?="', "=?utf-8?B?A?="),
        (r'filename="a\"b\\c.png"', r'a"b\c.png'),
        (r'filename="C:\photos\a.png"', "a.png"),
        ("FileName = plain.png ", "plain.png"),
        ('filename="a=b; c.png"', "a=b; c.png"),
        ('filename=""', None),
    ],
)
def test_file_names_as_they_are_written(
    client: httpx.Client, parameters: str, name: str | None
) -> None:
    body = form(part(disposition=f"name=a; {parameters}"))
    assert names(post_form(client, body)) == [name]


def test_a_file_name_that_is_not_utf_8_is_read_as_latin_1(client: httpx.Client) -> None:
    body = form(part(disposition='name=a; filename="grün.png"')).replace("ü".encode(), b"\xfc")
    assert names(post_form(client, body)) == ["grün.png"]


TWO = form(part(), part(disposition='name="b"; filename="b.png"'))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"A form.\r\nNot for people.\r\n" + TWO, id="preamble"),
        pytest.param(b"\r\n\r\n" + TWO, id="empty lines before it"),
        pytest.param(b"--Bother\r\n\r\nx\r\n" + TWO, id="preamble like a boundary"),
        pytest.param(TWO + b"The end.\r\n--B\r\n\r\nx", id="epilogue"),
        pytest.param(TWO.removesuffix(b"\r\n"), id="nothing after it"),
        pytest.param(TWO.replace(b"--B\r\n", b"--B \t \r\n"), id="white space after boundaries"),
        pytest.param(TWO.replace(b"--B--", b"--B--  "), id="white space after the last"),
        pytest.param(TWO.replace(b"; filename", b";\r\n\tfilename"), id="folded fields"),
        pytest.param(TWO.replace(b"Content-D", b"content-d"), id="small letters"),
        pytest.param(TWO.replace(b"tion: ", b"tion:"), id="no space after the colon"),
        pytest.param(TWO.replace(b"--B\r\n", b"--B\r\nX-Y: 1\r\nMIME-Version: 1.0\r\n"), id="more"),
        pytest.param(
            form(part(IMAGE, *(f"X-{number}: {number}" for number in range(40))), part(
                disposition='name="b"; filename="b.png"'
            )),
            id="many fields",
        ),
    ],
)  # fmt: skip
def test_multipart_as_it_may_be_written(client: httpx.Client, body: bytes) -> None:
    assert names(post_form(client, body)) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/form-data; boundary="B"', b"B"),
        ('multipart/form-data; charset=utf-8; boundary="a b:c?(d)"', b"a b:c?(d)"),
        ("Multipart/Form-Data; Boundary=B", b"B"),
        ("multipart/form-data;boundary=B;charset=utf-8", b"B"),
        ("multipart/form-data; boundary=" + "x" * 70, b"x" * 70),
        ("multipart/form-data; boundary=--.*[", b"--.*["),
    ],
)
def test_boundaries_as_they_may_be_named(
    client: httpx.Client, content_type: str, boundary: bytes
) -> None:
    body = TWO.replace(b"--B", b"--" + boundary)
    assert names(post_form(client, body, content_type)) == ["a.png", "b.png"]


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n--", b"\r\n--BB", b"\r\n--B-", b"--B\r\n"])
def test_data_like_a_boundary_are_data(client: httpx.Client, data: bytes) -> None:
    assert top_classes(post_form(client, form(part(IMAGE + data)))) == [RED]


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("binary", IMAGE),
        ("8BIT", IMAGE),
        ("base64", BASE64.encode()),
        ("BASE64", LINES.replace("\n", "\r\n").encode()),
        ("quoted-printable", "".join(f"={byte:02X}" for byte in IMAGE).encode()),
    ],
)
def test_transfer_encodings(client: httpx.Client, encoding: str, data: bytes) -> None:
    body = form(part(data, f"Content-Transfer-Encoding: {encoding}"))
    assert top_classes(post_form(client, body)) == [RED]


TEXT = part(b"holiday in spring", disposition='name="caption"')


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(TEXT, id="text"),
        pytest.param(part(b"", disposition='name="empty"'), id="empty"),
        pytest.param(
            part(b"{}", "Content-Type: application/json", disposition="name=m"), id="JSON"
        ),
        pytest.param(part(b"x", "Content-Type: text/plain", disposition="name=m"), id="typed"),
        pytest.param(
            part(b"", "Content-Type: application/octet-stream", disposition='name=f; filename=""'),
            id="no file chosen",
        ),
    ],
)
def test_what_is_no_file_in_a_form_is_no_image(client: httpx.Client, field: bytes) -> None:
    assert names(post_form(client, form(field, part(), field))) == ["a.png"]
    problem = assert_problem(post_form(client, form(field)), 400, "malformed_request")
    assert "no image but text fields" in problem["detail"]


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream"])
def test_a_part_of_an_image_s_type_needs_no_file_name(client: httpx.Client, kind: str) -> None:
    body = form(part(b"no image", f"Content-Type: {kind}", disposition="name=a"), TEXT)
    assert_problem(post_form(client, body), 415, "unsupported_image_format")


def test_text_fields_are_bounded_and_do_not_count_as_images(client: httpx.Client) -> None:
    assert len(names(post_form(client, form(*[part()] * 64, *[TEXT] * 100)))) == 64
    problem = assert_problem(post_form(client, form(*[TEXT] * 101)), 413, "too_many_images")
    assert "100 text fields" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (TWO.replace(b"\r\n", b"\n"), "CR LF"),
        (TWO.replace(b"--B", b"--C"), "boundary that the content type names"),
        (TWO.replace(b"--B--", b"--B"), "closing boundary"),
        (b"--B\r\nContent-Disposition\r\n\r\nx\r\n--B--", "without a colon"),
        (b"--B\r\nContent-Disposition: form-data\r\n--B--", "part 1 has no empty line"),
        (b"--B\r\nX: " + b"x" * 9000 + b"\r\n\r\nx\r\n--B--", "8192 bytes"),
        (form(part(b"!", "Content-Transfer-Encoding: base64")), "part 1: the character '!'"),
        (form(part(b"!", "Content-Transfer-Encoding: gzip")), "transfer encoding 'gzip'"),
        (form(part(b"!", "Content-Type: multipart/mixed; boundary=C")), "part of its own"),
        (b"\r\n--Bx" * 10_001, "boundaries"),
    ],
)
def test_forms_that_are_refused_say_why(client: httpx.Client, body: bytes, why: str) -> None:
    problem = assert_problem(post_form(client, body), 400, "malformed_request")
    assert why in problem["detail"]


def test_an_address_as_the_body_is_refused_with_the_reason(client: httpx.Client) -> None:
    headers = {"content-type": "text/uri-list"}
    response = client.post("/classify", content=b"https://example.org/a.jpg", headers=headers)
    problem = assert_problem(response, 415, "unsupported_media_type")
    assert "images are not fetched from URLs" in problem["detail"]
