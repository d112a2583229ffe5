/** The table as CSV (RFC 4180). */

const COLUMNS = ["name", "class_index", "id", "label", "score", "error"];

export function toCsv(items) {
  const rows = items.filter((item) => item.result).map((item) => {
    if (item.result instanceof Error) return [item.name, "", "", "", "", item.result.message];
    const best = item.result.predictions[0];
    return [item.name, best.classIndex, best.id, best.label, best.score, ""];
  });
  return [COLUMNS, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

/** A spreadsheet takes what begins so for a formula and would carry it out. */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
