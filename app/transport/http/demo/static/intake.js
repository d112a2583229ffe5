/** Where photos come from: a file dialogue, a drop, the clipboard, a camera. */

import { watchCamera } from "./camera.js";

/** Calls `take` with the files of each choice, and `fail` with an error where there are none. */
export function watchIntake(take, fail) {
  const [drop, files, phone] = ["drop", "files", "phone"].map((id) => document.getElementById(id));
  document.getElementById("choose").addEventListener("click", () => files.click());
  for (const input of [files, phone]) {
    input.addEventListener("change", () => {
      const chosen = [...input.files];
      input.value = ""; // so that the same file may be chosen again
      if (chosen.length) take(chosen);
    });
  }
  watchCamera(document.getElementById("photograph"), phone, (file) => take([file]), fail);

  const isOver = (is) => drop.classList.toggle("over", is);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    isOver(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget || isOver(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    isOver(false);
    takeAll(event.dataTransfer, "What was dropped is not a file.");
  });
  addEventListener("paste", (event) => {
    if (event.target instanceof HTMLInputElement) return;
    takeAll(event.clipboardData, "There is no photo in the clipboard.");
  });

  function takeAll(transfer, otherwise) {
    const found = [...(transfer?.files ?? [])];
    if (found.length) take(found);
    else fail(new Error(otherwise));
  }
}
