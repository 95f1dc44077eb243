// Opens pages in headless Chromium and tells each step. A script that ends without an error passed.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Every wait ends after this time, in milliseconds. */
export const WAIT = 20_000;

/**
 * Runs `walk` with a browser, and fails when a page logged an error or threw.
 * @param {(browser: import("playwright-core").Browser, open: (url: string, options?: object) => Promise<import("playwright-core").Page>) => Promise<void>} walk
 */
export async function withBrowser(walk) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
  });
  const complaints = [];
  const open = async (url, options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT);
    page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error}`));
    page.on("console", (message) => {
      // A page that is asked for and answered with 404 on purpose is no complaint.
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
        complaints.push(`${page.url()}: ${message.text()}`);
      }
    });
    await page.goto(url, { waitUntil: "load" });
    return page;
  };
  try {
    await walk(browser, open);
  } finally {
    await browser.close();
  }
  if (complaints.length > 0) throw new Error(`the pages complained:\n${complaints.join("\n")}`);
}

/** Says what follows. */
export function step(words) {
  console.log(`- ${words}`);
}

/** Fails with `words` unless `holds`. */
export function check(holds, words) {
  if (!holds) throw new Error(words);
}

/** Tries until `attempt` gives something true; fails with `words` after `limit` milliseconds. */
export async function until(words, attempt, limit = WAIT) {
  const start = Date.now();
  for (;;) {
    const found = await attempt();
    if (found) return found;
    check(Date.now() - start < limit, `not within ${limit} ms: ${words}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** The element that shows a live value. */
export function cell(page, key) {
  return page.locator(`[data-cell="${key}"]`).first();
}

/** `data-state` of a live element. */
export function state(page, key) {
  return cell(page, key).getAttribute("data-state");
}

/** A picture for people, where the caller asked for pictures. */
export async function picture(page, name, options = {}) {
  const folder = process.env.LOGGIA_PICTURES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), ...options });
}
