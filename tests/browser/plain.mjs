// Without JavaScript a book can be read and walked through: node plain.mjs URL
import { check, step, withBrowser } from "./chromium.mjs";

const url = process.argv[2];

await withBrowser(async (_browser, open) => {
  const page = await open(new URL("index.html", url).href, { javaScriptEnabled: false });
  step("pages, branches and terms are links and native elements");
  await page.locator("#side").getByRole("link", { name: "1. Arrival" }).click();
  check((await page.locator("main h1").innerText()).startsWith("Arrival"), "the next page");
  check(await page.locator("#side").getByRole("link", { name: "1.1. Berths and tides" }).isVisible(), "the open branch");
  await page.locator("#side summary").first().click();
  check(!(await page.locator("#side").getByRole("link", { name: "1.1. Berths and tides" }).isVisible()), "it folds");
  await page.locator("main .term a").first().hover();
  check(await page.locator("main .term .term-tip").first().isVisible(), "a term's meaning");
  await page.locator("main .term a").first().click();
  check(await page.locator("#glossary-tide").isVisible(), "a term leads to its definition");

  step("what needs a script is not offered");
  for (const part of ["#mode", "[data-keys-open]"]) {
    const one = page.locator(part).first();
    check((await one.count()) === 0 || !(await one.isVisible()), `${part} is shown`);
  }

  step("the link to search leads to a page that says what it can do");
  await page.locator("[data-search-open]").click();
  check(/search/i.test(await page.locator("main h1").innerText()), "the page for searching");

  step("the drawer opens at 390");
  const phone = await open(new URL("index.html", url).href, { javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  await phone.locator(".bar .menu").click();
  check(await phone.locator("#side").getByRole("link", { name: "1. Arrival" }).isVisible(), "the tree");
});
