import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../packages/server/test/support/command.ts";

/** Of playwright-core, what is used here: it is installed only where there is a browser to drive. */
interface Page {
  goto(url: string): Promise<unknown>;
  click(selector: string, options?: object): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  waitForFunction(script: string): Promise<unknown>;
  evaluate<T>(script: string): Promise<T>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
  on(event: "pageerror", listener: (error: Error) => void): void;
  close(): Promise<void>;
}
interface Browser {
  newPage(options: { colorScheme: "light" | "dark"; viewport: { width: number; height: number } }): Promise<Page>;
  close(): Promise<void>;
}
interface Playwright {
  readonly chromium: { launch(options: { executablePath: string; args: string[] }): Promise<Browser> };
}

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const library = "playwright-core";
const playwright = await (import(library) as Promise<Playwright>).catch(() => undefined);
const missing = [
  executablePath === undefined && "a Chromium (apt-get install chromium)",
  playwright === undefined && library,
].filter(Boolean);
if (missing.length > 0)
  console.warn(`SKIPPED: the demo is not driven in a browser, there is no ${missing.join(" and no ")}.`);

const pictures = fileURLToPath(new URL("../node_modules/.cache/demo-screenshots", import.meta.url));

describe.skipIf(missing.length > 0)("the demo in a browser", () => {
  let command: Command;
  let browser: Browser;
  let url = "";

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    const folder = fileURLToPath(new URL("../apps/demo", import.meta.url));
    command = new Command(folder, ["serve", "--port", "0"], {}, { keep: true });
    url = await command.url();
    browser = await (playwright as Playwright).chromium.launch({
      executablePath: executablePath as string,
      args: ["--no-sandbox"],
    });
  });

  afterAll(async () => {
    await browser?.close();
    command.child.kill("SIGTERM");
    await command.exited;
  });

  const text = (id: string): string => `document.getElementById("${id}").textContent`;

  /** What there is to do on each page, and when it is done. */
  const visits: [path: string, act: (page: Page) => Promise<unknown>][] = [
    ["/", async () => undefined],
    [
      "/render",
      async (page) => {
        await page.click("input[type=image]", { position: { x: 200, y: 90 } });
        await page.waitForFunction(
          `location.search.includes("at.x") && document.querySelector("input[type=image]").complete !== false`,
        );
      },
    ],
    [
      "/guestbook",
      async (page) => {
        await page.click("button");
        await page.waitForFunction(`${text("name-error")} === "Who are you?"`);
        await page.fill("#name", "Grace <b>");
        await page.fill("#text", "Found by lineage");
        await page.click("button");
        await page.waitForFunction(`document.querySelector("ol.entries li b").textContent === "Grace <b>"`);
      },
    ],
    [
      "/upload",
      async (page) => {
        await page.click("#made");
        await page.waitForFunction(`${text("seen")}.includes("67,108,864")`);
      },
    ],
    [
      "/report",
      async (page) => {
        await page.click("#start");
        await page.waitForFunction(`${text("rows")} === "100,001" && ${text("all")}.endsWith("ms")`);
      },
    ],
    ["/events", (page) => page.waitForFunction(`Number(${text("count")}) >= 2`)],
    ["/threads", (page) => page.waitForFunction(`${text("tree")}.includes('loop "render"')`)],
    [
      "/misbehave",
      async (page) => {
        for (const deed of ["block", "loop", "exit", "throw"]) await page.click(`[data-deed=${deed}]`);
        const verdicts = [
          ["block", "200"],
          ["loop", "504"],
          ["exit", "502"],
          ["throw", "500"],
        ];
        for (const [deed, status] of verdicts)
          await page.waitForFunction(`${text(`${deed}-verdict`)}.startsWith("${status} after")`);
        // All the while the others were answered: none of the bars is a failure.
        expect(await page.evaluate<number>(`document.querySelectorAll("#pulse i").length`)).toBeGreaterThan(5);
        expect(await page.evaluate<number>(`document.querySelectorAll("#pulse i.bad").length`)).toBe(0);
      },
    ],
  ];

  for (const [colorScheme, width] of [
    ["light", 1180],
    ["dark", 390],
  ] as const) {
    it.each(visits)(`works at %s, ${colorScheme} and ${width} wide`, async (path, act) => {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 844 } });
      const errors: Error[] = [];
      page.on("pageerror", (error) => errors.push(error));
      await page.goto(url + path);
      await act(page);
      const overflow = await page.evaluate<number>(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      await page.screenshot({
        path: `${pictures}/${path.slice(1) || "home"}-${colorScheme}-${width}.png`,
        fullPage: true,
      });
      await page.close();
      expect(errors).toEqual([]);
      expect(overflow).toBe(0);
    });
  }
});
