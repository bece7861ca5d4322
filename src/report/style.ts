/** The page's look, in light and dark. Charts take their colours from these variables. */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --page: #f5f5f2; --paper: #ffffff; --ink: #1c1f23; --soft: #5b626b; --line: #e3e3de; --shade: #00000009; --edge: #00000030;
  --main: #2456c9; --baseline: #bd4b00; --before: #767c85;
  --half: #0b6a9e;
  --other1: #0b7568; --other2: #a0189c; --other3: #806000; --other4: #b3123f; --other5: #3f6f0c; --other6: #5b43c4;
  --right: #2456c9; --wrong: #cf2f2f; --on-fill: #ffffff; --good: #1a7440; --bad: #c02626;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101216; --paper: #181b20; --ink: #e8eaed; --soft: #a2a9b3; --line: #2c3138; --shade: #ffffff0c; --edge: #000000b0;
    --main: #7ba5ff; --baseline: #ff9d57; --before: #979faa;
    --half: #5fc3f2;
    --other1: #4cc9b8; --other2: #e58be2; --other3: #d9b44a; --other4: #ff7f96; --other5: #9fd060; --other6: #b3a1ff;
    --right: #6f9bff; --wrong: #ff6b6b; --on-fill: #0c0e12; --good: #63c98b; --bad: #ff8080;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
header, main, footer { max-width: 1200px; margin: 0 auto; padding: 0 clamp(16px, 3vw, 32px); }
header { padding-top: clamp(28px, 5vw, 56px); }
.eyebrow { margin: 0; color: var(--soft); font-size: 13px; letter-spacing: .08em; text-transform: uppercase; }
h1 { margin: 4px 0 0; font-size: clamp(26px, 4vw, 38px); line-height: 1.15; letter-spacing: -.02em; font-weight: 650; overflow-wrap: anywhere; text-wrap: balance; }
h2 { margin: 0 0 6px; font-size: 22px; letter-spacing: -.01em; font-weight: 650; }
h3 { margin: 0; font-size: 15px; font-weight: 600; overflow-wrap: anywhere; }
h3.wide { margin: 28px 0 2px; font-size: 17px; }
section { margin: 56px 0; }
#result { margin-top: 18px; }
.lede, .note, figcaption p { color: var(--soft); text-wrap: pretty; overflow-wrap: anywhere; }
.lede { margin: 0 0 14px; max-width: 74ch; }
.note { margin: 6px 0; font-size: 13.5px; max-width: 80ch; }
.verdict { margin: 0 0 8px; max-width: 62ch; font-size: clamp(17px, 2.1vw, 20px); text-wrap: pretty; overflow-wrap: anywhere; }
.why { margin: 0 0 8px; max-width: 74ch; color: var(--soft); overflow-wrap: anywhere; text-wrap: pretty; }
.warning { padding-left: 10px; border-left: 4px solid var(--baseline); color: var(--ink); }
.headline { list-style: none; margin: 18px 0; padding: 0; display: flex; flex-wrap: wrap; gap: 14px 48px; }
.headline li { display: flex; flex-direction: column; min-width: 0; }
.headline .name { display: block; color: var(--soft); }
.headline .name::first-letter { text-transform: uppercase; }
.headline .from { color: var(--soft); font-weight: 500; }
.trade { display: grid; gap: 4px 36px; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); max-width: 900px; margin: 0 0 22px; }
.trade ul { margin: 4px 0 8px; padding-left: 18px; font-size: 14px; overflow-wrap: anywhere; }
.command { margin: 0 0 6px; padding: 10px 12px; background: var(--page); border-radius: 6px; font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; }
nav { margin-top: 18px; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px; }
nav a { padding: 4px 0; }
a { color: var(--main); text-underline-offset: 3px; text-decoration-thickness: 1px; }
:focus-visible { outline: 2px solid var(--main); outline-offset: 2px; border-radius: 4px; }
.banner { margin: 18px 0 0; padding: 10px 14px; border-left: 4px solid var(--baseline); background: var(--paper); border-radius: 4px; }
.tiles { list-style: none; margin: 0 0 20px; padding: 0; display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(196px, 47%), 1fr)); }
.tile { display: flex; flex-direction: column; min-width: 0; padding: 14px 16px 12px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
.tile.best { border-color: var(--ink); }
.name { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 8px; font-size: 14px; min-width: 0; overflow-wrap: anywhere; }
.badge { margin-left: 10px; padding: 2px 8px; vertical-align: middle; letter-spacing: 0; font-weight: 500; font-size: 12px; border-radius: 99px; background: var(--ink); color: var(--paper); }
.figure { margin-top: 4px; font-size: 34px; line-height: 1.2; font-weight: 650; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.figure small { font-size: 17px; font-weight: 500; color: var(--soft); }
.delta { font-size: 13.5px; color: var(--soft); font-variant-numeric: tabular-nums; }
.grid { display: grid; gap: 0 14px; grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)); }
.grid > * { margin-bottom: 14px; }
.grid.two > figure { display: block; }
.grid.two { grid-template-columns: repeat(auto-fit, minmax(min(430px, 100%), 1fr)); }
.grid > * { min-width: 0; }
.grid > figure { display: grid; grid-row: span 3; grid-template: subgrid / minmax(0, 1fr); row-gap: 0; align-content: start; }
figure { margin: 0; padding: 16px 16px 12px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; min-width: 0; }
section > figure, section > .scroll, section > figure + .grid, .stack > * + * { margin-top: 14px; }
.stack td, .stack th { padding-left: 6px; padding-right: 6px; }
figcaption { margin-bottom: 10px; }
figcaption p { margin: 2px 0 0; font-size: 13.5px; line-height: 1.4; }
svg.plot { display: block; height: auto; overflow: visible; color: var(--soft); font-family: inherit; font-size: 12px; }
figure > svg.plot { width: 100%; max-width: 430px; margin: 0 auto; }
svg.plot text { white-space: pre; }
svg.plot [aria-label="text"] { fill: var(--soft); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 14px; padding: 0; font-size: 14px; }
.legend li { display: flex; align-items: center; gap: 7px; min-width: 0; overflow-wrap: anywhere; }
figure .legend { margin: 8px 0 0; font-size: 13px; }
.legend svg, .name svg { flex: none; width: 26px; }
.scroll { overflow: auto; max-height: 560px; border-radius: 6px; scrollbar-width: thin; scrollbar-color: var(--soft) transparent; background: linear-gradient(to right, var(--paper) 30%, transparent) 0 0 / 44px 100% local, linear-gradient(to left, var(--paper) 30%, transparent) 100% 0 / 44px 100% local, linear-gradient(to right, var(--edge), transparent) 0 0 / 16px 100% scroll, linear-gradient(to left, var(--edge), transparent) 100% 0 / 16px 100% scroll; background-color: var(--paper); background-repeat: no-repeat; }
.scroll th:first-child { position: sticky; left: 0; background: var(--paper); z-index: 1; }
.scroll thead th { position: sticky; top: 0; background: var(--paper); z-index: 1; }
.scroll thead th:first-child { z-index: 2; }
.grid > .scroll { grid-row: span 3; align-self: start; padding: 16px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
td .name, th .name { flex-wrap: nowrap; overflow-wrap: normal; }
caption { text-align: left; padding: 0 0 8px; font-weight: 600; font-size: 14px; }
.unseen, figure:not(:has(details)) > .scroll caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
th, td { padding: 6px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; font-weight: 400; }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: 13px; border-bottom-color: var(--soft); }
.text { text-align: left; }
th.text, td.text { white-space: normal; overflow-wrap: anywhere; min-width: 12ch; }
.number { text-align: right; }
details { margin-top: 6px; font-size: 14px; }
summary { cursor: pointer; color: var(--soft); padding: 4px 0; width: fit-content; }
summary:hover { color: var(--ink); }
details[open] > summary { margin-bottom: 8px; }
details > .grid { margin-top: 4px; }
section > details > .scroll { padding: 16px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
details.whole > summary { color: var(--main); }
.samples { list-style: none; margin: 12px 0 0; padding: 0; display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(160px, 47%), 1fr)); }
.samples:has(.cells, .text) { grid-template-columns: repeat(auto-fill, minmax(min(250px, 100%), 1fr)); align-items: start; }
.samples li { min-width: 0; padding: 10px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; font-size: 13.5px; }
.picture { display: grid; place-items: center; aspect-ratio: 1; margin-bottom: 8px; background: var(--page); border-radius: 6px; overflow: hidden; }
.picture img { max-width: 100%; max-height: 100%; object-fit: contain; }
.picture .pixels { width: 100%; height: 100%; image-rendering: pixelated; }
.picture .text { width: 100%; height: 100%; margin: 0; padding: 10px; overflow: auto; font-size: 12.5px; line-height: 1.45; overflow-wrap: anywhere; color: var(--ink); }
.samples p { margin: 0; overflow-wrap: anywhere; }
.samples .where { color: var(--soft); font-size: 12.5px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.mark { width: .8em; height: .8em; fill: none; stroke: currentColor; stroke-width: 2.5; stroke-linecap: round; stroke-linejoin: round; }
.mark.to { color: var(--soft); }
.ok { color: var(--good); } .bad { color: var(--bad); } .taken { color: var(--soft); }
.samples dl { display: grid; grid-template-columns: auto auto; justify-content: space-between; margin: 6px 0 0; padding-top: 6px; border-top: 1px solid var(--line); font-size: 12.5px; font-variant-numeric: tabular-nums; }
.samples dt { color: var(--soft); } .samples dd { margin: 0; text-align: right; }
.cells { margin-bottom: 8px; }
.cells table { font-size: 13px; table-layout: fixed; }
.cells th, .cells td { white-space: normal; overflow-wrap: anywhere; vertical-align: top; padding: 4px 0; }
.cells th { text-align: left; color: var(--soft); padding-right: 8px; }
.cells td { text-align: right; font-weight: 600; }
.cells td small { display: block; font-weight: 400; color: var(--soft); }
.cells .note { font-size: 12.5px; }
.columns { columns: 2 380px; column-gap: 36px; }
h4 { margin: 18px 0 2px; font-size: 13.5px; break-after: avoid; overflow-wrap: anywhere; }
.settings { margin: 0; font-size: 13.5px; }
.settings div { display: grid; grid-template-columns: minmax(110px, 40%) 1fr; gap: 12px; padding: 5px 0; border-bottom: 1px solid var(--line); break-inside: avoid; }
.settings dt { color: var(--soft); overflow-wrap: anywhere; } .settings dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.notes { margin: 0; padding-left: 18px; font-size: 14px; overflow-wrap: anywhere; }
footer { padding-top: 8px; padding-bottom: 48px; color: var(--soft); font-size: 13.5px; }
@media (max-width: 480px) { figure { padding: 13px 11px 10px; } section { margin: 44px 0; } .tile { padding: 11px 12px; } .figure { font-size: 25px; white-space: nowrap; } .badge { margin-left: 5px; padding: 1px 7px; font-size: 11px; } }
@media print { body { background: none; } figure, .tile, .samples li { break-inside: avoid; } nav { display: none; } }
`;
