// The client for the page: compiled without comments, indentation and most line breaks, which nobody reads there.
//   node build-page.mjs [FOLDER]
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const folder = process.argv[2] ?? "../app/transport/http/demo/static/client";
rmSync(folder, { recursive: true, force: true });
execFileSync("npx", ["tsc", "-p", "tsconfig.page.json", "--outDir", folder], { stdio: "inherit" });
for (const name of readdirSync(folder)) {
  const file = `${folder}/${name}`;
  const code = readFileSync(file, "utf8").replace(/([{(,;]?)\n */g, (_, end) => end || "\n").replace(/ \{ ?/g, "{");
  if (code.trim() === "export{};") rmSync(file); // types alone
  else writeFileSync(file, code);
}
