// Visits, live figures and a source that changes, all at once: node travel.mjs URL FOLDER
// The book is that of `tests/doors/travel.rs`; FOLDER is written to.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cell, check, step, until, withBrowser } from "./chromium.mjs";

const [url, folder] = process.argv.slice(2);
const [first, second] = ["first.md", "second.md"].map((name) => join(folder, name));

await withBrowser(async (_browser, open) => {
  const page = await open(`${url}/metrics`);
  await page.addInitScript(() => {
    const Plain = window.EventSource;
    window.streams = [];
    window.EventSource = class extends Plain {
      constructor(...given) {
        super(...given);
        window.streams.push(this);
      }
    };
  });
  await page.goto(`${url}/first.html`);
  await page.evaluate(() => { window.stayed = true; });
  const title = (words) => until(`the page ${words}`, async () => (await page.locator("main h1").first().innerText()).startsWith(words));
  const shows = (words) => until(`"${words}" is shown`, async () => (await page.locator("#main").innerText()).includes(words));
  const streams = () => page.evaluate(() => window.streams.filter((one) => one.readyState !== EventSource.CLOSED).map((one) => new URL(one.url).searchParams.get("page")));
  const alone = async (id) => {
    await until(`the stream of ${id} alone`, async () => (await streams()).join() === id);
    await until("one stream on the server", async () => / 1$/m.test((await (await page.request.get(`${url}/metrics`)).text()).split("\n").find((line) => line.startsWith("loggia_streams ")) ?? ""));
  };
  const live = async (words) => {
    const clock = cell(page, "kpi.clock.value");
    await clock.evaluate((one) => { one.textContent = "put here by the test"; });
    await until(`${words}: the server's figure`, async () => /\d/.test((await clock.textContent()) ?? ""));
  };
  const visit = (name) => page.locator("#side").getByRole("link", { name }).click();

  step("the first page: one stream, figures follow it");
  await alone("first");
  await live("first page");
  await page.evaluate(() => scrollTo({ top: 500, behavior: "instant" }));

  step("a visit: the old stream is closed, the new page's figures are fed");
  await visit("Second");
  await title("Second");
  await alone("second");
  await live("second page");
  check(await page.evaluate(() => document.activeElement?.matches("main h1")), "the focus is at the heading");

  step("what needs a script works on the page that came");
  check(await page.locator("main .code .copy").first().isVisible(), "code can be copied");
  await page.getByRole("tab", { name: "Go" }).click();
  check(await page.getByRole("tabpanel").filter({ hasText: "package main" }).isVisible(), "tabs");
  const drawing = page.locator("figure.diagram .drawing").first();
  const before = (await drawing.boundingBox())?.width ?? 0;
  await page.locator("figure.diagram [data-do=in]").first().click();
  await until("the drawing is larger", async () => ((await drawing.boundingBox())?.width ?? 0) > before * 1.1);
  const term = page.locator("main .term").first();
  await term.locator("a").focus();
  check(await term.getByRole("tooltip").isVisible(), "a term defined on another page shows its meaning");
  check(/glossary\.html#glossary-quay$/.test((await term.locator("a").getAttribute("href")) ?? ""), "and leads to it");
  await page.keyboard.press("Escape");

  step("a saved file changes the page that is open, and no other");
  writeFileSync(second, readFileSync(second, "utf8").replace("OPENED", "Changed while open."));
  await shows("Changed while open.");
  await title("Second");
  writeFileSync(first, readFileSync(first, "utf8").replace("CLOSED", "Changed while elsewhere."));
  await live("after both");
  check(!(await page.locator("#main").innerText()).includes("elsewhere"), "another page's text came");
  check(await page.locator("main .tab:not([hidden]) .code .copy").isVisible(), "code can still be copied");

  step("back: its stream, its place, its newest text");
  await page.goBack();
  await title("First");
  await until("the place is kept", async () => Math.abs((await page.evaluate(() => scrollY)) - 500) < 40);
  await alone("first");
  await shows("Changed while elsewhere.");
  await live("after going back");
  await page.goForward();
  await title("Second");
  await alone("second");
  check(await page.evaluate(() => window.stayed === true), "a page was loaded anew");

  step("a file saved while the reader is on the way: no page shows another's text");
  for (let round = 0; round < 6; round++) {
    writeFileSync(second, `${readFileSync(second, "utf8")}\nRound ${round}.\n`);
    await page.waitForTimeout(round * 15);
    await visit("First");
    await title("First");
    await alone("first");
    check(!(await page.locator("#main").innerText()).includes("Round"), `round ${round}: another page's text`);
    await visit("Second");
    await title("Second");
    await shows(`Round ${round}.`);
  }

  step("a definition that changes is told on every page that uses the term");
  writeFileSync(first, readFileSync(first, "utf8").replace("Where ships lie.", "A wall for ships."));
  await until("the new meaning", async () => (await page.locator("main .term-tip").first().textContent()) === "A wall for ships.");
});
