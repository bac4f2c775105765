/** The whole style sheet: two palettes, one column, a few components. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #faf8f2; --card: #ffffff; --ink: #17272c; --soft: #56666b; --line: #ddd8ca;
  --pond: #0b6e6c; --pond-ink: #ffffff; --yellow: #f5b921; --bad: #b3261e; --code: #f1ede1;
  --shadow: 0 1px 2px rgb(23 39 44 / .06), 0 6px 20px rgb(23 39 44 / .05);
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0e1719; --card: #162225; --ink: #ece9df; --soft: #9db0b2; --line: #2a3a3e;
    --pond: #58c7c0; --pond-ink: #062120; --yellow: #ffcf4f; --bad: #ff8a7d; --code: #101b1e;
    --shadow: none;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.6 ui-rounded, "Seravek", "Avenir Next", "Segoe UI", system-ui, sans-serif;
}
header, main, footer { width: 100%; max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem 1.5rem; padding-top: 1rem; padding-bottom: .9rem; }
.home { display: flex; align-items: center; gap: .55rem; font-weight: 700; font-size: 1.15rem; color: var(--ink); text-decoration: none; }
nav { display: flex; gap: .15rem; margin-left: -.6rem; overflow-x: auto; scrollbar-width: none; }
nav a { padding: .3rem .6rem; border-radius: .5rem; color: var(--soft); text-decoration: none; white-space: nowrap; }
nav a:hover { color: var(--ink); background: var(--code); }
nav a[aria-current] { color: var(--ink); box-shadow: inset 0 -2px 0 var(--yellow); border-radius: 0; }
main { flex: 1; padding-top: 1.75rem; padding-bottom: 3rem; }
h1 { font-size: clamp(1.75rem, 1.3rem + 2vw, 2.6rem); line-height: 1.15; letter-spacing: -.02em; margin: 0 0 .6rem; text-wrap: balance; }
h2 { font-size: 1.1rem; line-height: 1.3; margin: 0 0 .3rem; }
.lead { max-width: 44rem; margin: 0 0 1.75rem; color: var(--soft); font-size: 1.08rem; }
p { margin: 0 0 .9rem; }
a { color: var(--pond); text-underline-offset: .18em; }
footer { color: var(--soft); font-size: .9rem; padding-top: 1rem; padding-bottom: 1.5rem; background: linear-gradient(var(--line), var(--line)) top / calc(100% - 2.5rem) 1px no-repeat; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; font-size: .88em; }
code { background: var(--code); padding: .1em .35em; border-radius: .3em; }
pre { margin: 0; padding: 1rem 1.1rem; overflow-x: auto; background: var(--code); border: 1px solid var(--line); border-radius: .75rem; line-height: 1.5; }
pre code { padding: 0; background: none; font-size: 1em; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1rem; }
.grid.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 13rem), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .9rem; padding: 1.1rem 1.2rem; box-shadow: var(--shadow); }
a.card { display: block; color: inherit; text-decoration: none; transition: border-color .15s, transform .15s; }
a.card:hover { border-color: var(--pond); transform: translateY(-2px); }
.card p { color: var(--soft); margin: 0; font-size: .95rem; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
button, .button {
  font: inherit; font-weight: 600; cursor: pointer; padding: .5rem 1rem; border-radius: .6rem;
  border: 1px solid transparent; background: var(--pond); color: var(--pond-ink); text-decoration: none; display: inline-block;
}
button.plain, .button.plain { background: var(--card); color: var(--ink); border-color: var(--line); }
button:hover, .button:hover { filter: brightness(1.08); }
button:disabled { opacity: .55; cursor: progress; }
:focus-visible { outline: 3px solid var(--yellow); outline-offset: 2px; }
label { display: block; font-weight: 600; font-size: .92rem; margin-bottom: .25rem; }
input, textarea { width: 100%; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: .5rem .7rem; }
input[aria-invalid=true], textarea[aria-invalid=true] { border-color: var(--bad); }
.error { color: var(--bad); font-size: .9rem; min-height: 1.4em; margin: .2rem 0 0; }
figure { margin: 0; }
figure img, figure input[type=image] { display: block; width: 100%; height: auto; aspect-ratio: 16 / 9; padding: 0; border: 1px solid var(--line); border-radius: .9rem; background: var(--code); cursor: zoom-in; }
figcaption { color: var(--soft); font-size: .92rem; margin-top: .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-size: .85rem; color: var(--soft); font-weight: 600; }
th, td { padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .35rem 1.2rem; margin: 0; font-variant-numeric: tabular-nums; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
progress { width: 100%; height: .6rem; accent-color: var(--pond); }
ol.entries { list-style: none; margin: 0; padding: 0; }
ol.entries li { padding: .8rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
ol.entries small { color: var(--soft); }
.sizes { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-end; }
.sizes figure { max-width: 100%; }
figure img[data-width] { width: auto; max-width: 100%; aspect-ratio: auto; cursor: auto; }
figure img[hidden] { display: none; }
.made { color: var(--soft); font-size: .95rem; }
input.search { flex: 1; min-width: 0; max-width: 22rem; }
.big { font-size: 2rem; font-weight: 700; line-height: 1.1; font-variant-numeric: tabular-nums; }
.pulse { display: flex; align-items: flex-end; gap: 2px; height: 5.5rem; overflow: hidden; }
.pulse i { flex: 1; min-width: 2px; background: var(--pond); border-radius: 2px 2px 0 0; }
.pulse i.slow { background: var(--yellow); }
.pulse i.bad { background: var(--bad); }
.sticky { position: sticky; top: .6rem; z-index: 1; }
.deed { display: flex; gap: 1rem; align-items: center; justify-content: space-between; }
.deed button { flex: none; }
.deed .verdict { font-size: .9rem; font-weight: 600; min-height: 1.45em; margin-top: .25rem; font-variant-numeric: tabular-nums; }
.hero { display: flex; gap: 2rem; justify-content: space-between; align-items: center; }
.hero svg { flex: none; width: clamp(5rem, 16vw, 11rem); height: auto; margin: -1rem 0 0; }
.log { list-style: none; margin: 0; padding: 0; }
.log li { padding: .35rem 0; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
.stack > * + * { margin-top: 1.25rem; }
.card .ok { color: var(--pond); } .card .bad, .card .error { color: var(--bad); }
@media (max-width: 40rem) {
  .hero svg { display: none; }
  header { padding-top: .8rem; }
  nav { width: calc(100% + 2.5rem); margin: 0 -1.25rem; padding: 0 .65rem; mask-image: linear-gradient(90deg, #000 88%, transparent); }
  main { padding-top: 1.1rem; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;
