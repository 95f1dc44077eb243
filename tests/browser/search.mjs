// Searches as a reader does: node search.mjs URL BUILT BELOW FILE
// URL serves the book, BUILT is the folder of its static build, BELOW of its build for the address /docs/,
// FILE one page's Markdown: it is written to.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { check, picture, step, until, withBrowser } from "./chromium.mjs";

const [url, built, below, file] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

await withBrowser(async (_browser, open) => {
  await walk(await open(url), "live/services/payments");
  step("a static build opened from a file");
  await walk(await open(pathToFileURL(`${built}/index.html`).href), "index.html?highlight=payments#payments");

  step("a static build below /docs/, its page for lost readers too");
  const host = await hosted(below);
  const docs = `http://127.0.0.1:${host.address().port}/docs/`;
  await walk(await open(docs), "index.html?highlight=payments#payments");
  for (const lost of [`${docs}not/here.html`, `${url}not/here.html`]) {
    const page = await open(lost);
    await page.locator("main [data-search-open]").click();
    await page.locator("#search[open]").waitFor();
    await search(page, "captured");
    await page.keyboard.press("Enter");
    await page.waitForURL(/index\.html\?highlight=captured(#payments)?$/);
    await page.close();
  }
  host.close();

  step("marks follow the reader from page to page, without a load");
  const visits = await open(url);
  const marked = () => visits.evaluate(() => [...(CSS.highlights.get("search") || [])].map(String).join(" "));
  await visits.evaluate(() => (globalThis.stays = true));
  for (const [query, words] of [["captur", "captured"], ["publ", "published"], ["shipped", "shipped"]]) {
    await search(visits, query);
    await visits.keyboard.press("Enter");
    await visits.locator("#search[open]").waitFor({ state: "detached" });
    await until(`${words} alone`, async () => (await marked()) === words);
  }
  await visits.goBack();
  await until("the marks of the page before", async () => (await marked()) === "published");
  await visits.keyboard.press("Escape");
  await until("no marks", async () => (await marked()) === "");
  await visits.goBack();
  await until("the marks of the first", async () => (await marked()) === "captured");
  check(await visits.evaluate(() => globalThis.stays === true), "no page was loaded as a whole");

  step("after an edit the new word is found, the old one is not");
  const page = await open(url);
  await search(page, "shipped");
  await option(page, 0).waitFor();
  await page.keyboard.press("Escape");
  writeFileSync(file, readFileSync(file, "utf8").replace("shipped", "delivered"));
  await until("the new word", async () => {
    await search(page, "delivered");
    const found = await until("an answer", () => said(page));
    await page.keyboard.press("Escape");
    return found.startsWith("1 result");
  });
  await search(page, "shipped");
  await page.getByText("Nothing was found for “shipped”").waitFor();

  step("without script the server answers");
  const plain = await open(`${url}search.html?q=gateway`, { javaScriptEnabled: false });
  check((await plain.locator("main .found-page").count()) === 2, "both pages");
  await picture(plain, "page");

  step("without script and server the page says so, and lists all pages");
  const none = await open(pathToFileURL(`${built}/search.html`).href, { javaScriptEnabled: false });
  check(await none.getByText("Searching needs JavaScript here").isVisible(), "why nothing is found");
  check((await none.locator("main [data-search-pages] a").count()) === 3, "all pages");

  step("the page for searching answers as one types");
  const alone = await open(`${url}search.html?q=gateway`);
  await until("both", async () => (await alone.locator("main .found-page").count()) === 2);
  await alone.locator("main input").fill("limits");
  await until("one", async () => (await alone.locator("main .found-section").count()) === 1);
  await alone.locator("main .found-section").click();
  await alone.waitForURL(/orders\.html\?highlight=limits#limits$/);
  await alone.goBack();
  await until("what was asked before", async () => (await alone.locator("main input").inputValue()) === "limits");
  await until("and found", async () => (await alone.locator("main .found-section").count()) === 1);

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1440, 390]) {
      const look = await open(url, { colorScheme, viewport: { width, height: 844 } });
      await search(look, "gateway");
      await option(look, 1).waitFor();
      check(await look.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is too wide");
      await picture(look, `dialog-${colorScheme}-${width}`);
      await look.keyboard.press("Enter");
      await look.locator("#highlight", { hasText: "on this page" }).waitFor();
      await picture(look, `marks-${colorScheme}-${width}`);
    }
  }
});

/** @param {import("playwright-core").Page} page @param {string} service */
async function walk(page, service) {
  step("/ and Ctrl-K open, Escape closes, the button opens");
  for (const key of ["/", "Control+k"]) {
    await page.keyboard.press(key);
    await page.locator("#search[open]").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#search[open]").waitFor({ state: "detached" });
  }
  await page.locator("[data-search-open]").first().click();
  await page.locator("#search[open]").waitFor();

  step("results come as one types, grouped by page, with marks");
  await page.locator("#search input").pressSequentially("gatew");
  await until("two pages", async () => (await page.locator("#search .found-group").count()) === 2);
  check((await page.locator("#search mark").first().textContent()) === "gateway", "the word is marked");
  const orders = page.locator("#search .found-group", { hasText: "Limits" });
  check((await orders.locator(".found-page .found-title").textContent()) === "Orders", "a section below its page");

  step("arrows choose, the field says what is chosen");
  const chosen = () => page.evaluate(() => document.activeElement?.getAttribute("aria-activedescendant"));
  const first = await chosen();
  check((await page.locator(`#${first}`).getAttribute("aria-selected")) === "true", "the first is chosen");
  await page.keyboard.press("ArrowDown");
  check((await chosen()) !== first, "the next");
  await page.keyboard.press("ArrowUp");
  check((await chosen()) === first, "and back");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowDown");
  check((await chosen()) === first, "round the end");

  step("Enter opens the section, its words are marked, Escape takes the marks away");
  await search(page, "hundred orders");
  const limits = page.locator("#search .found-section", { hasText: "Limits" });
  await limits.waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL(/orders\.html\?highlight=hundred\+orders#limits$/);
  check(!(await page.locator("#search[open]").count()), "the dialog is closed");
  await until("the section is in sight", () => page.evaluate(() => {
    const { top } = document.getElementById("limits").getBoundingClientRect();
    return top >= 0 && top < innerHeight;
  }));
  const marks = () => page.evaluate(() => [...(CSS.highlights.get("search") || [])].map(String));
  await until("marks", async () => (await marks()).includes("hundred"));
  check((await marks()).includes("order"), "other forms too");
  await page.locator("#highlight button[value=next]").click();
  await page.getByText(/^1 of \d/).waitFor();
  await page.keyboard.press("Escape");
  await until("no marks", async () => (await marks()).length === 0);
  check(!page.url().includes("highlight") && page.url().endsWith("#limits"), page.url());

  step("a term leads to its definition, a service to its place");
  await search(page, "cqrs");
  check((await option(page, 0).getAttribute("href")).endsWith("words.html?highlight=cqrs#glossary-cqrs"), "the definition");
  check((await option(page, 0).textContent()).includes("Term"), "it says what it is");
  await search(page, "payments");
  const found = page.locator("#search a", { hasText: "Service" });
  check((await found.getAttribute("href")).endsWith(service), `${await found.getAttribute("href")}`);

  step("other forms, accents, other scripts, parts of names");
  for (const [query, title] of [["limit", "Limits"], ["brulee", "Words"], ["数据", "Words"], ["string", "Events"]]) {
    await search(page, query);
    await page.locator("#search .found a", { hasText: title }).first().waitFor();
  }

  step("a slip of the keys is put right; nonsense is said to be");
  await search(page, "gatewya");
  await page.locator("#search [role=status] button", { hasText: "gateway" }).click();
  check((await page.locator("#search input").inputValue()) === "gateway", "the suggestion is taken");
  await search(page, "qqxxqq");
  await page.getByText("Nothing was found for “qqxxqq”").waitFor();
  await page.keyboard.press("Escape");
}

/** Serves a folder below /docs/, as a host of static files does. */
function hosted(folder) {
  const server = createServer((request, answer) => {
    const { pathname } = new URL(request.url, "http://host");
    const path = join(folder, decodeURIComponent(pathname).replace(/^\/docs/, "").replace(/\/$/, "/index.html"));
    const known = pathname.startsWith("/docs/") && existsSync(path);
    answer.writeHead(known ? 200 : 404, { "content-type": known ? TYPES[extname(path)] ?? "text/plain" : "text/html" });
    answer.end(readFileSync(known ? path : join(folder, "404.html")));
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}

function option(page, at) {
  return page.locator("#search .found a").nth(at);
}

function said(page) {
  return page.locator("#search [role=status]").textContent();
}

/** Asks, and waits for the answer. */
async function search(page, query) {
  if (!(await page.locator("#search[open]").count())) await page.keyboard.press("Control+k");
  await page.locator("#search input").fill("");
  await until("the answer before is gone", async () => (await said(page)) === "");
  await page.locator("#search input").fill(query);
  await until("an answer", () => said(page));
}
