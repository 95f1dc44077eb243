// A built site in a folder of a server: node prefix.mjs FOLDER
// It was built for https://example.org/docs/, and stands at /docs/ here; nothing else is answered.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { check, step, until, withBrowser } from "./chromium.mjs";

const [folder] = process.argv.slice(2);
const [PREFIX, WEB] = ["/docs/", "https://example.org/docs/"];
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".json": "application/json", ".xml": "text/xml", ".txt": "text/plain", ".md": "text/plain" };

/** The file at an address of the site, or nothing. @param {string} path */
function file(path) {
  if (!path.startsWith(PREFIX)) return "";
  const found = join(folder, normalize(decodeURIComponent(path.slice(PREFIX.length)) || "."));
  const index = existsSync(found) && statSync(found).isDirectory() ? join(found, "index.html") : found;
  return existsSync(index) ? index : "";
}

const refused = [];
const server = createServer((request, answer) => {
  const found = file(new URL(request.url ?? "", "http://x").pathname);
  // Browsers ask for it by themselves where a page names no icon.
  if (!found) refused.push(request.url);
  answer.writeHead(found ? 200 : 404, { "content-type": TYPES[extname(found || "404.html")] ?? "application/octet-stream" });
  answer.end(found ? readFileSync(found) : readFileSync(join(folder, "404.html")));
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${server.address().port}`;

try {
  step("every link and every file that a page names");
  const waiting = [`${origin}${PREFIX}`];
  const seen = new Set(waiting);
  const wrong = [];
  let links = 0;
  while (waiting.length) {
    const at = waiting.pop() ?? "";
    const answer = await fetch(at);
    if (!answer.ok) wrong.push(`${at}: ${answer.status}`);
    const type = answer.headers.get("content-type") ?? "";
    if (!/html|css|xml/.test(type)) continue;
    const text = (await answer.text()).replace(/<pre\b.*?<\/pre>/gs, "");
    const named = /html/.test(type) ? /\s(?:href|src|srcset|poster)="([^"]*)"/g : /xml/.test(type) ? /<loc>([^<]*)<|href="([^"#]+)"/g : /url\("?([^")]*)"?\)/g;
    for (const [, one, other] of text.matchAll(named)) {
      const href = (one ?? other).replaceAll("&amp;", "&").replace(WEB, `${origin}${PREFIX}`);
      const to = new URL(href, at);
      if (to.protocol !== "http:" || to.origin !== origin) continue;
      links++;
      if (!to.pathname.startsWith(PREFIX)) wrong.push(`${at}: ${href} leaves ${PREFIX}`);
      to.hash = "";
      if (seen.has(to.href)) continue;
      seen.add(to.href);
      waiting.push(to.href);
    }
  }
  for (const name of ["sitemap.xml", "llms.txt", "404.html"]) if (!file(`${PREFIX}${name}`)) wrong.push(`no ${name}`);
  console.log(`  ${links} links to ${seen.size} addresses`);
  check(seen.size > 12, `only ${seen.size} addresses`);
  check(wrong.length === 0, wrong.join("\n"));

  await withBrowser(async (_browser, open) => {
    const page = await open(`${origin}${PREFIX}`);
    const title = (words) => until(`the page ${words}`, async () => (await page.locator("main h1").first().innerText()).startsWith(words));
    await page.evaluate(() => { window.stayed = true; });

    step("a visit without a load");
    await page.locator("#side").getByRole("link", { name: "1. Arrival" }).click();
    await title("Arrival");
    check(new URL(page.url()).pathname === `${PREFIX}guide/arrival.html`, page.url());
    await page.locator("main .term a").first().click();
    await page.locator("main .term a").first().click({ trial: true }).catch(() => {});
    await title("Glossary");
    await page.goBack();
    await title("Arrival");
    check(await page.evaluate(() => window.stayed === true), "a page was loaded anew");

    step("search");
    await page.keyboard.press("/");
    await page.locator("#search input").fill("fender");
    await until("an answer", async () => (await page.locator("#search [role=option]").count()) > 0);
    await page.keyboard.press("Enter");
    await until("the page that was found", async () => page.url().startsWith(`${origin}${PREFIX}g`));
    check(new URL(page.url()).pathname.startsWith(PREFIX), page.url());

    step("a page that does not exist leads back");
    refused.length = 0;
    await page.goto(`${origin}${PREFIX}guide/arival.html`);
    check(refused.length === 1, `missing besides the page: ${refused.join(" ")}`);
    await page.locator("#side").getByRole("link", { name: "1. Arrival" }).click();
    await title("Arrival");
  });
} finally {
  server.close();
}
