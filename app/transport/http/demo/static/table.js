/** Many photos: a table that can be sorted, filtered and saved. */

import { percent } from "./answer.js";
import { toCsv } from "./csv.js";

const find = (id) => document.getElementById(id);
const THUMBNAIL = { resizeHeight: 84, resizeQuality: "medium" };

export class Table {
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.items = [];
    this.order = { key: null, falls: false };
    find("filter").addEventListener("input", () => this.arrange());
    find("csv").addEventListener("click", () => save(toCsv(this.items)));
    for (const button of document.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => this.sort(button.dataset.sort));
    }
  }

  /** Begins with the items of a new choice; one alone needs no table. */
  show(items) {
    this.items = items;
    this.order = { key: null, falls: false };
    find("filter").value = "";
    find("batch").hidden = items.length < 2;
    if (items.length < 2) return;
    for (const item of items) item.row = this.rowOf(item);
    this.arrange();
  }

  /** Fills the row of an item whose result has come. */
  async update(item) {
    const { row, result } = item;
    const failed = result instanceof Error;
    row.classList.toggle("failed", failed);
    row.cells[2].textContent = failed ? result.message : label(item);
    row.cells[3].textContent = failed ? "" : percent(score(item));
    row.querySelector("button").disabled = false;
    try {
      const small = await createImageBitmap(item.file, THUMBNAIL);
      const canvas = row.querySelector("canvas");
      [canvas.width, canvas.height] = [112, 84];
      canvas.getContext("2d").drawImage(small, (112 - small.width) / 2, 0);
      small.close();
    } catch {
      // an image that this browser cannot show
    }
    if (this.order.key || find("filter").value) this.arrange();
  }

  sort(key) {
    this.order = { key, falls: this.order.key === key ? !this.order.falls : key === "score" };
    this.arrange();
  }

  arrange() {
    const { key, falls } = this.order;
    const wanted = find("filter").value.trim().toLowerCase();
    const values = { name: (item) => item.name, label, score };
    const chosen = this.items.filter((item) =>
      [item.name, label(item)].some((text) => text.toLowerCase().includes(wanted)),
    );
    if (key) {
      const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      chosen.sort((a, b) => (falls ? -1 : 1) * compare(values[key](a), values[key](b)));
    }
    for (const button of document.querySelectorAll("[data-sort]")) {
      const head = button.closest("th");
      if (button.dataset.sort === key) head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    find("rows").replaceChildren(...chosen.map((item) => item.row));
    find("shown").textContent = wanted ? `${chosen.length} of ${this.items.length} shown` : "";
  }

  rowOf(item) {
    const row = document.createElement("tr");
    const cells = Array.from({ length: 4 }, () => row.insertCell());
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.disabled = true;
    button.textContent = item.name;
    button.addEventListener("click", () => {
      for (const other of this.items) other.row.classList.toggle("chosen", other === item);
      this.onOpen(item);
    });
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    cells[0].append(canvas);
    cells[1].append(button);
    cells[2].textContent = "…";
    cells[3].className = "number";
    return row;
  }
}

function label(item) {
  return item.result?.predictions?.[0]?.label ?? "";
}

function score(item) {
  return item.result?.predictions?.[0]?.score ?? -1;
}

function save(text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "photos.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
