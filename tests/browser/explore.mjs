// A query is typed with the keyboard alone, completed and run: node explore.mjs URL
import { check, step, until, withBrowser } from "./chromium.mjs";

const [url] = process.argv.slice(2);

await withBrowser(async (_browser, open) => {
  const page = await open(`${url}/live/explore`);
  const field = page.locator("form.explore textarea");
  const shown = () => page.locator(".suggestions li").allInnerTexts();
  const suggested = (word) => until(`${word} is suggested`, async () => (await shown()).some((text) => text.startsWith(word)));

  step("functions and metrics are suggested");
  await field.focus();
  await page.keyboard.type("su");
  await suggested("sum");
  await page.keyboard.press("Tab");
  check((await field.inputValue()) === "sum(", `"${await field.inputValue()}" instead of sum(`);
  await page.keyboard.type("shop_s");
  await suggested("shop_stock");
  await page.keyboard.press("ArrowDown");
  check(await field.getAttribute("aria-activedescendant") === "suggestion-0", "the first is not chosen");
  await page.keyboard.press("Enter");
  check((await field.inputValue()) === "sum(shop_stock", await field.inputValue());

  step("labels and their values inside braces");
  await page.keyboard.type("{");
  await suggested("item");
  await page.keyboard.type("item=\"i1");
  await suggested("i10");
  await page.keyboard.press("Escape");
  check((await page.locator(".suggestions").isVisible()) === false, "Escape does not close");
  await page.keyboard.type("\"})");

  step("Enter runs it");
  await page.keyboard.press("Enter");
  await page.waitForURL("**query=sum*");
  await until("the value is there", async () => (await page.locator("td.num:not(.plot td)").allInnerTexts()).join() === "10");

  step("a mistake is shown at its place, and the query stays");
  await field.fill("sum(shop_stock");
  await page.keyboard.press("Enter");
  await until("the fault is told", async () => (await page.locator(".explore-fault").count()) === 1);
  check((await field.inputValue()) === "sum(shop_stock", "the query is gone");

  step("earlier queries come back");
  await page.locator(".history summary").click();
  await page.locator(".history a").first().click();
  await until("it ran again", async () => (await page.locator("td.num:not(.plot td)").allInnerTexts()).join() === "10");

  step("an example, on a phone too");
  await page.setViewportSize({ width: 360, height: 800 });
  await page.goto(`${url}/live/explore`);
  await page.locator(".examples a").first().click();
  await page.waitForURL("**query=up");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check(wide <= 360, `the page is ${wide} wide`);
});
