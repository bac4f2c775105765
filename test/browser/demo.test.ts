import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../../packages/server/test/support/command.ts";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
if (executablePath === undefined)
  throw new Error("There is no Chromium to drive the demo with: apt-get install chromium");

const pictures = fileURLToPath(new URL("../../node_modules/.cache/demo-screenshots", import.meta.url));

const data = mkdtempSync(join(tmpdir(), "demo-"));

describe("the demo in a browser", () => {
  let command: Command;
  let browser: Browser;
  let url = "";

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    const folder = fileURLToPath(new URL("../../apps/demo", import.meta.url));
    command = new Command(
      folder,
      ["serve", "--port", "0"],
      { DEMO_DATABASE: join(data, "guestbook.sqlite") },
      { keep: true },
    );
    url = await command.url();
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  });

  afterAll(async () => {
    await browser?.close();
    command.child.kill("SIGTERM");
    await command.exited;
    rmSync(data, { recursive: true, force: true });
  });

  const text = (id: string): string => `document.getElementById("${id}").textContent`;

  let guests = 0;

  /** What there is to do on each page, and when it is done. */
  const visits: [path: string, act: (page: Page) => Promise<unknown>][] = [
    ["/", async () => undefined],
    [
      "/render",
      async (page) => {
        await page.click("input[type=image]", { position: { x: 200, y: 90 } });
        await page.waitForURL(/at\.x=/);
        // An image button has no `complete`: another image of the same address says when, and that, it was drawn.
        const drawn = `(async (src) => {
          const image = Object.assign(new Image(), { src });
          await image.decode();
          return image.naturalWidth;
        })(document.querySelector("input[type=image]").src)`;
        expect(await page.evaluate<number>(drawn)).toBe(960);
      },
    ],
    [
      "/guide",
      async (page) => {
        await page.fill("[name=q]", "dives");
        await page.click("button");
        await page.waitForFunction(`document.querySelector(".made").textContent.startsWith("5 ducks")`);
      },
    ],
    [
      "/guestbook",
      async (page) => {
        await page.click("button");
        await page.waitForFunction(`${text("name-error")} === "Who are you?"`);
        // A name of its own for each visit: an entry of an earlier one would end the wait before the page has changed.
        const name = `Grace <b> ${++guests}`;
        await page.fill("#name", name);
        await page.fill("#text", "Found by lineage");
        await page.click("button");
        await page.waitForFunction(`document.querySelector("ol.entries li b").textContent === ${JSON.stringify(name)}`);
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
      "/image",
      async (page) => {
        await page.click("#drawn");
        const done = `(img) => img.nextElementSibling.textContent.startsWith(img.dataset.width + " ×")`;
        await page.waitForFunction(`[...document.querySelectorAll("img[data-width]")].every(${done})`);
      },
    ],
    [
      "/password",
      async (page) => {
        await page.click("button");
        await page.waitForFunction(`${text("password-error")} === "A password, please"`);
        await page.fill("#password", "pond");
        await page.click("button");
        await page.waitForFunction(`${text("seen")}.includes("$argon2id$")`);
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
        for (const [deed, status] of Object.entries({ block: 200, loop: 504, exit: 502, throw: 500 }))
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
