"""How the report looks."""

STYLE = """
:root {
  --ground: #fbfbfa; --panel: #fff; --line: #d9dadd; --text: #1b1d21; --soft: #5b6068;
  --right: 33 136 84; --wrong: 194 65 12;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14161a; --panel: #1d2026; --line: #3a3f48; --text: #eceef1; --soft: #a7adb7;
    --right: 70 180 120; --wrong: 255 130 70;
  }
}
body {
  margin: 0 auto; max-width: 84rem; padding: 1.25rem; background: var(--ground);
  color: var(--text); overflow-wrap: break-word; font-variant-numeric: tabular-nums;
}
h1 { font-size: 1.6rem; margin: 0 0 .75rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .25rem; font-weight: 600; }
p { margin: .25rem 0 .75rem; color: var(--soft); }
p b { color: rgb(var(--wrong)); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
caption { text-align: left; color: var(--soft); font-size: .92rem; padding-bottom: .4rem; }
td { white-space: nowrap; }
th, td { padding: .25rem .6rem; border-top: 1px solid var(--line); text-align: left; }
thead th, thead td { border: 0; vertical-align: bottom; }
tbody th { font-weight: 500; white-space: nowrap; }
.turned th span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; }
.turned th { font-weight: 500; }
[class^=right], [class^=wrong] { text-align: right; }
.right1 { background: rgb(var(--right) / .12); } .wrong1 { background: rgb(var(--wrong) / .12); }
.right2 { background: rgb(var(--right) / .22); } .wrong2 { background: rgb(var(--wrong) / .25); }
.right3 { background: rgb(var(--right) / .32); } .wrong3 { background: rgb(var(--wrong) / .38); }
.right4 { background: rgb(var(--right) / .42); } .wrong4 { background: rgb(var(--wrong) / .5); }
.right5 { background: rgb(var(--right) / .52); } .wrong5 { background: rgb(var(--wrong) / .6); }
.photos { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 1rem; }
.photos > li {
  background: var(--panel); border: 1px solid var(--line); border-radius: .7rem; padding: .9rem;
  max-width: 100%; box-sizing: border-box; flex: 0 1 auto;
}
.photos > .mistake { border-left: 4px solid rgb(var(--wrong)); }
.pictures { display: flex; flex-wrap: wrap; gap: .75rem; }
figure { margin: 0; max-width: 10.4rem; }
img { display: block; max-width: 100%; height: auto; border-radius: .4rem; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .25rem; }
.photos ul { list-style: none; padding: 0; margin: .6rem 0 0; max-width: 24rem; }
.photos ul li { display: grid; grid-template-columns: minmax(0, 1fr) 7rem 4rem; gap: .75rem; }
.photos ul li span:last-child { text-align: right; }
meter { width: 100%; }
"""
