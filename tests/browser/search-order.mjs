// Asks the server and the page's script the same, and compares what they list: node search-order.mjs URL QUERY ...
import { check, step, until, withBrowser } from "./chromium.mjs";

const [url, ...queries] = process.argv.slice(2);
/** The script lists fewer documents than the server. */
const LISTED = 12;

await withBrowser(async (_browser, open) => {
  const page = await open(url);
  const plain = await open(url, { javaScriptEnabled: false });
  let found = 0;
  for (const query of queries) {
    const asked = await byServer(plain, query);
    const answered = await byScript(page, query);
    check(JSON.stringify(asked) === JSON.stringify(answered), `“${query}”:\n${JSON.stringify(asked, null, 1)}\n${JSON.stringify(answered, null, 1)}`);
    found += asked.groups.length;
  }
  step(`${queries.length} queries, ${found} documents in the same order`);
  check(found > 3 * queries.length, "most queries find something");
});

/** What is said, and the documents with their sections. @param {import("playwright-core").Page} page */
function read(page, place, said) {
  return page.evaluate(
    ([place, said, most]) => ({
      said: document.querySelector(said)?.textContent?.replace(/[“”.]/g, ""),
      groups: [...document.querySelectorAll(`${place} .found-group`)].slice(0, most).map((group) =>
        [...group.querySelectorAll("a")].map((link) => `${new URL(link.href).pathname}${new URL(link.href).hash} ${link.querySelector(".found-title")?.textContent}`),
      ),
    }),
    [place, said, LISTED],
  );
}

async function byServer(page, query) {
  await page.goto(`${url}search.html?q=${encodeURIComponent(query)}`);
  return read(page, "main", "[data-search-said]");
}

async function byScript(page, query) {
  if (!(await page.locator("#search[open]").count())) await page.keyboard.press("Control+k");
  const said = () => page.locator("#search [role=status]").textContent();
  await page.locator("#search input").fill("");
  await until("the answer before is gone", async () => (await said()) === "");
  await page.locator("#search input").fill(query);
  await until("an answer", said);
  return read(page, "#search", "#search [role=status]");
}
