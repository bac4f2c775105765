import { currentThread, type Html, html } from "@duck-ts/server";
import { type Markup, markup, verbatim } from "./markup.ts";
import { style } from "./style.ts";

const places: readonly (readonly [path: string, name: string])[] = [
  ["/render", "Render"],
  ["/guide", "Guide"],
  ["/guestbook", "Guestbook"],
  ["/upload", "Upload"],
  ["/image", "Image"],
  ["/password", "Password"],
  ["/report", "Report"],
  ["/events", "Events"],
  ["/threads", "Threads"],
  ["/misbehave", "Misbehave"],
];

interface PageOptions {
  readonly path: string;
  readonly title: string;
  readonly lead: Markup | string;
  readonly body: Markup;
  readonly script?: string;
  /** The duck, large. */
  readonly hero?: boolean;
}

/** A whole page. `script` is the text of an inline script; there is no other file to load. */
export function page(options: PageOptions): Html {
  const { path, title, lead, body, script, hero } = options;
  const links = places.map(
    ([to, name]) => markup`<a href="${to}"${to === path ? verbatim(' aria-current="page"') : ""}>${name}</a>`,
  );
  const document = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · duck-ts</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(duck.text)}">
<style>${verbatim(style)}</style>
</head>
<body>
<header>
<a class="home" href="/">${duck}<span>duck-ts</span></a>
<nav aria-label="Demo">${links}</nav>
</header>
<main>
<div class="hero"><div><h1>${title}</h1>
<p class="lead">${lead}</p></div>${hero === true ? duck : ""}</div>
${body}
</main>
<footer>Made by thread <b>${currentThread().name}</b>, which was allowed to block.</footer>
<script>document.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });</script>
${script === undefined ? "" : markup`<script>${verbatim(script)}</script>`}
</body>
</html>
`;
  return html(document.text);
}

const duck = verbatim(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" width="36" height="36" aria-hidden="true">` +
    `<path fill="#f5b921" d="M29 6a9 9 0 0 0-8.8 11c.4 1.900-.6 3.300-2.600 3.600C11 21.700 6 20.500 3.300 18.200c-.8-.7-1.800-.1-1.600 1C3 29.500 9.500 38 22 38c11.500 0 18-6 18-13.500 0-3.500-1.500-5.700-2.800-7.700A9 9 0 0 0 29 6Z"/>` +
    `<path fill="#e8702a" d="M37.600 12.600c2.700.2 5.600.8 8.100 2 .7.400.6 1.300-.1 1.600-2.700 1-5.700 1.700-8.600 1.500a9 9 0 0 0 .6-5.100Z"/>` +
    `<path fill="#d99a0b" d="M14 26c3 3.500 9.500 4.500 14 1.500-1 5-9.500 7.500-14-1.500Z"/>` +
    `<circle cx="31.500" cy="12.500" r="1.900" fill="#17272c"/>` +
    `<path fill="none" stroke="#3aa6a0" stroke-width="2.600" stroke-linecap="round" d="M3 42c3-2.400 6-2.400 9 0s6 2.400 9 0 6-2.400 9 0 6 2.400 9 0 4.500-2 6-1"/></svg>`,
);
