/** One photo and what the service says about it. */

import { showGates } from "./gates.js";
import { drawPhoto, place } from "./overlay.js";
import { offerFeedback } from "./wrong.js";

const find = (id) => document.getElementById(id);
let shown = null;

/** Shows an item whose result is there: `{file, name, result}`. */
export async function showAnswer(item, service) {
  if (item.result instanceof Error) {
    find("answer").hidden = true;
    service.fail(item.result);
    return;
  }
  find("problem").textContent = "";
  const mine = (shown = { item, service, chosen: item.result.predictions[0], photo: null });
  const [best] = item.result.predictions;
  find("answer-title").textContent = best?.label ?? "";
  find("answer-name").textContent = item.name;
  find("classes").replaceChildren(...item.result.predictions.map((entry) => row(entry)));
  find("times").replaceChildren(...times(item.result.timing));
  const hasMaps = item.result.predictions.some((entry) => entry.cam);
  find("map-tools").hidden = find("classes-hint").hidden = !hasMaps;
  offerFeedback(item.result, () => mine.chosen, service);
  find("answer").hidden = false;
  find("gates").hidden = true;
  mine.photo = await open(item.file, service.model?.exifTranspose !== false);
  if (shown !== mine) return;
  redraw();
  regate();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  find("answer").scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  find("answer-title").focus({ preventScroll: true });
}

async function open(file, isTurned) {
  try {
    return await createImageBitmap(isTurned ? file : await asStored(file));
  } catch {
    return null; // an image that the service reads and this browser does not
  }
}

/** The photo under another name of its EXIF data, which browsers then do not follow. */
async function asStored(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 1e5));
  for (const { index } of text.matchAll(/Exif\0|EXIF|eXIf/g)) bytes[index + 1] ^= 32;
  return new Blob([bytes]);
}

function row(prediction) {
  const entry = document.createElement("li");
  const button = document.createElement("button");
  const [bar, label, score] = ["bar", "label", "score"].map((name) => {
    const part = document.createElement("span");
    part.className = name;
    return part;
  });
  button.type = "button";
  button.setAttribute("aria-pressed", String(prediction === shown.chosen));
  bar.style.width = `${100 * prediction.score}%`;
  label.textContent = prediction.label;
  score.textContent = percent(prediction.score);
  button.append(bar, label, score);
  button.addEventListener("click", () => {
    shown.chosen = prediction;
    for (const other of find("classes").querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    redraw();
    regate();
  });
  entry.append(button);
  return entry;
}

function redraw() {
  const { item, chosen, photo } = shown;
  const canvas = find("photo");
  canvas.hidden = !photo;
  const opacity = Number(find("opacity").value) / 100;
  find("opacity-told").textContent = `${find("opacity").value} %`;
  const where = chosen?.cam ? `where it saw ${chosen.label}: most ${place(chosen.cam)}` : "";
  const cut = photo && drawPhoto(canvas, photo, chosen?.cam, item.result.crop, opacity);
  const told = [where, cut && "the darkened part it never saw"].filter(Boolean).join("; ");
  find("caption").textContent = photo ? sentence(told) : "This browser cannot show this kind of image.";
  canvas.setAttribute("aria-label", sentence([`photo ${item.name}`, told].filter(Boolean).join("; ")));
}

find("opacity").addEventListener("input", redraw);

async function regate() {
  const { item, service, chosen } = shown;
  const gates = chosen && (await service.gates(item, chosen.classIndex).catch(() => undefined));
  if (shown.item !== item || shown.chosen !== chosen) return; // another was chosen meanwhile
  find("gates").hidden = !gates;
  if (gates) showGates(gates.excitations, gates.usual);
}

function times(timing) {
  const names = { decode: "Decoding", queue: "Waiting", inference: "Inference" };
  const told = Object.keys(names).filter((key) => key in timing);
  return terms(told.map((key) => [names[key], `${timing[key].toFixed(1)} ms`]));
}

/** The elements of a description list. */
export function terms(entries) {
  return entries.flatMap(([name, value]) => {
    const [term, told] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, told.textContent] = [name, value];
    return [term, told];
  });
}

export function percent(score) {
  return `${(100 * score).toFixed(1)} %`;
}

function sentence(text) {
  return text && `${text[0].toUpperCase()}${text.slice(1)}.`;
}
