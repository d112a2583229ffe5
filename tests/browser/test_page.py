"""What a visitor does with the page, in a real browser against the real service."""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from tests.browser.page import DemoPage, has_text
from tests.browser.service import EXAMPLES, ROOT, serving

Open = Callable[..., DemoPage]
_HAND_OVER = """([event, target, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  const options = { bubbles: true, cancelable: true };
  const made = event === "drop"
    ? new DragEvent("drop", { ...options, dataTransfer: transfer })
    : new ClipboardEvent("paste", { ...options, clipboardData: transfer });
  document.querySelector(target).dispatchEvent(made);
}"""


def test_a_chosen_photo_is_classified_and_explained(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.choose(EXAMPLES / "church.jpg")
    page.expect_class("church")

    best = page.find("#classes button").first
    expect(best).to_have_attribute("aria-pressed", "true")
    expect(best).to_contain_text("%")
    expect(page.find("#caption")).to_contain_text("the darkened part it never saw")
    expect(page.find("#times")).to_contain_text("Inference")


def test_every_example_is_what_it_is_drawn_as(open_page: Open, url: str) -> None:
    page = open_page(url)
    images = page.find("#examples-list img")
    expect(images.first).to_be_visible()
    for number, file in enumerate(images.evaluate_all("all => all.map((one) => one.src)")):
        page.find("#examples-list button").nth(number).click()
        page.expect_class(Path(file).stem.replace("-", " "))


@pytest.mark.parametrize(("event", "target"), [("drop", "#drop"), ("paste", "body")])
def test_a_photo_may_be_dropped_or_pasted(
    open_page: Open, url: str, event: str, target: str
) -> None:
    page = open_page(url)
    expect(page.find("#served")).to_contain_text("imagenette")
    data = base64.b64encode((EXAMPLES / "parachute.jpg").read_bytes()).decode()
    page.page.evaluate(_HAND_OVER, [event, target, "sky.jpg", data])
    page.expect_class("parachute")
    expect(page.find("#answer-name")).to_have_text("sky.jpg")


def test_the_camera_gives_a_photo(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.page.get_by_role("button", name="Take a photo").click()
    expect(page.find("#camera")).to_be_visible()
    page.page.get_by_role("button", name="Take it").click()
    expect(page.find("#answer-name")).to_have_text("camera.jpg")
    expect(page.find("#camera")).to_be_hidden()
    expect(page.find("#classes button")).to_have_count(5)


def test_where_pages_get_no_camera_the_telephones_own_is_asked(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    with page.page.expect_file_chooser() as chooser:
        page.page.get_by_role("button", name="Take a photo").click()
    assert chooser.value.element.get_attribute("capture") == "environment"


def test_the_map_follows_class_and_opacity(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.choose(EXAMPLES / "golf-ball.jpg")
    page.expect_class("golf ball")
    first = page.pixels()

    page.find("#classes button").nth(1).click()
    expect(page.find("#classes button").nth(1)).to_have_attribute("aria-pressed", "true")
    second = page.pixels()
    page.find("#opacity").fill("0")
    expect(page.find("#opacity-told")).to_have_text("0 %")
    without = page.pixels()
    page.find("#classes button").first.click()

    assert len({first, second, without}) == 3
    assert page.pixels() == without


def test_the_gates_are_held_against_the_class(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.choose(EXAMPLES / "church.jpg")
    page.expect_class("church")
    plots = page.find("#stages svg")
    expect(plots).to_have_count(4)
    expect(page.find("#stages figcaption").first).to_have_text("layer1, 64 channels")
    expect(page.find("#gates-hint")).to_contain_text("409 photos of the class church")
    expect(page.find("#odd li").first).to_contain_text("usually")
    line = plots.first.locator(".mean").get_attribute("d")

    page.find("#classes button").nth(1).click()
    expect(page.find("#gates-hint")).to_contain_text("photos of the class golf ball")
    assert plots.first.locator(".mean").get_attribute("d") != line


def test_of_many_photos_the_one_that_is_opened_shows_its_gates(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.choose([EXAMPLES / "church.jpg", EXAMPLES / "golf-ball.jpg"])
    expect(page.find("#status")).to_have_text("Done: 2 photos.")
    page.find("#rows button").nth(1).click()
    page.expect_class("golf ball")
    expect(page.find("#gates-hint")).to_contain_text("photos of the class golf ball")


def test_a_photo_lies_as_the_network_saw_it(open_page: Open, url: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    with Image.open(EXAMPLES / "church.jpg") as upright:
        upright.save(tmp_path / "turned.jpg", exif=exif)
    shape = "canvas => canvas.width < canvas.height"
    page = open_page(url)
    page.choose(tmp_path / "turned.jpg")
    expect(page.find("#photo")).to_be_visible()
    assert page.find("#photo").evaluate(shape)

    shutil.copytree(ROOT / "models" / "imagenette" / "1", tmp_path / "models" / "imagenette" / "1")
    manifest = tmp_path / "models" / "imagenette" / "1" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"exif_transpose": true', '"exif_transpose": false'))
    with serving("--model-repository", str(tmp_path / "models")) as other:
        page = open_page(other)
        expect(page.find("#served")).to_contain_text("imagenette")
        page.choose(tmp_path / "turned.jpg")
        page.expect_class("church")
        assert not page.find("#photo").evaluate(shape)


def test_the_map_lies_over_the_part_that_the_network_saw(open_page: Open, url: str) -> None:
    page = open_page(url)
    page.choose(EXAMPLES / "church.jpg")
    page.expect_class("church")
    page.find("#opacity").fill("0")
    # 480 x 360 pixels, of which 160 of 213 columns are seen: from 58.6 to 419.1.
    brightness = page.find("#photo").evaluate(
        """(canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 20, canvas.width, 1);
          return [40, 56, 62, 410, 424].map((x) => data[4 * x] + data[4 * x + 1] + data[4 * x + 2]);
        }"""
    )
    assert [value > 250 for value in brightness] == [False, False, True, True, False]


def test_many_photos_make_a_table(open_page: Open, url: str, tmp_path: Path) -> None:
    page = open_page(url)
    photos = sorted(EXAMPLES.glob("*.jpg"))
    (tmp_path / "=cmd.jpg").write_bytes((EXAMPLES / "church.jpg").read_bytes())
    page.choose([*photos, tmp_path / "=cmd.jpg"])
    expect(page.find("#status")).to_have_text(f"Done: {len(photos) + 1} photos.")
    rows = page.find("#rows tr")
    expect(rows).to_have_count(len(photos) + 1)

    page.page.get_by_role("button", name="Score").click()
    expect(page.find("th[aria-sort=descending]")).to_have_text("Score")
    scores = [float(text.split()[0]) for text in rows.locator("td:last-child").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    page.page.get_by_role("button", name="Name", exact=True).click()
    expect(rows.first).to_contain_text("=cmd.jpg")

    page.find("#filter").fill("golf")
    expect(rows).to_have_count(1)
    expect(page.find("#shown")).to_have_text(f"1 of {len(photos) + 1} shown")
    rows.first.locator("button").click()
    page.expect_class("golf ball")

    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Save as CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "name,class_index,id,label,score,error"
    assert len(lines) == len(photos) + 2
    assert any(line.startswith("'=cmd.jpg,4,n03028079,church,0.") for line in lines)


def test_the_keyboard_is_enough(open_page: Open, url: str) -> None:
    page = open_page(url)
    expect(page.find("#examples-list img").first).to_be_visible()
    keys = page.page.keyboard
    for _ in range(12):
        keys.press("Tab")
        if page.find("#examples-list button").first.evaluate("e => e === document.activeElement"):
            break
    keys.press("Enter")
    page.expect_class("church")
    expect(page.find("#answer-title")).to_be_focused()
    keys.press("Tab")
    expect(page.find("#opacity")).to_be_focused()
    keys.press("ArrowLeft")
    expect(page.find("#opacity-told")).to_have_text("69 %")
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Space")
    expect(page.find("#classes button").nth(1)).to_have_attribute("aria-pressed", "true")
    page.find("#tab-0").focus()
    keys.press("ArrowRight")
    expect(page.find("#snippet-text")).to_contain_text("from senet_client import Client")


def test_the_model_and_what_does_the_same_are_told(open_page: Open, url: str) -> None:
    page = open_page(url)
    expect(page.find("#served")).to_contain_text("imagenette, version 1")
    page.find("#model summary").click()
    for text in ("se_resnet_mini", "fp32", "sha256:"):
        expect(page.find("#facts")).to_contain_text(text)
    expect(page.find("#snippet-text")).to_contain_text(
        f"{url}classify?top_k=5&include=cam,excitations"
    )
    expect(page.find("#docs")).to_be_visible()
    page.page.get_by_role("tab", name="Open Inference Protocol").click()
    expect(page.find("#snippet-text")).to_contain_text("InferInput")


def test_on_a_telephone_nothing_is_wider_than_the_screen(open_page: Open, url: str) -> None:
    screen = {"width": 360, "height": 740}
    page = open_page(url, viewport=screen, is_mobile=True, has_touch=True)
    page.find("#examples-list button").nth(1).tap()
    page.expect_class("golf ball")
    assert page.page.evaluate("document.documentElement.scrollWidth") == screen["width"]


def test_a_name_is_text_and_nothing_else(open_page: Open, url: str) -> None:
    page = open_page(url)
    name = '<img src=x onerror="document.title=1">.jpg'
    data = (EXAMPLES / "church.jpg").read_bytes()
    payload: FilePayload = {"name": name, "mimeType": "image/jpeg", "buffer": data}
    page.choose([payload, payload])
    expect(page.find("#status")).to_have_text("Done: 2 photos.")
    expect(page.find("#rows tr").first).to_contain_text(name)
    page.find("#rows button").first.click()
    expect(page.find("#answer-name")).to_have_text(name)
    expect(page.page).to_have_title(has_text("SENet"))
