// Time travel in a browser: node moments.mjs URL BEFORE AFTER (seconds since 1970; a claim holds before and is violated after).
import { check, step, withBrowser } from "./chromium.mjs";

const [url, before, after] = process.argv.slice(2);
const SLIDER = "#moment input[type=range]";

const verdict = (page) => page.locator(".kpi .badge").first();
/** Waits until the tile says so at that moment. */
async function shows(page, word, at) {
  await page.waitForFunction(
    ([word, at]) => document.querySelector(".kpi .badge")?.textContent === word && (at === null || new URL(location).searchParams.get("at") === at),
    [word, at],
  );
}
/** Puts the slider somewhere, as dragging does. */
const drag = (page, at) =>
  page.locator(SLIDER).evaluate((input, at) => {
    input.value = at;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, at);

await withBrowser(async (browser, open) => {
  step("a shared address shows its moment, and nothing moves");
  const page = await open(`${url}?at=${before}`);
  await shows(page, "holds", before);
  check((await page.locator("#live").getAttribute("data-live")) === "past", "the chip says that it is the past");
  check(/^as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/.test(await page.locator("#live").innerText()), "the chip says the moment");

  step("the slider changes the figures in place, and then the address");
  await page.evaluate(() => (window.still = true));
  await drag(page, after);
  await shows(page, "violated", after);
  await page.waitForSelector(`a[href*="at=${after}"]`);
  check(await page.evaluate(() => window.still === true), "the page was not loaded anew");
  await drag(page, before);
  await shows(page, "holds", before);

  step("links keep the moment");
  await page.click(".strip .svc");
  await page.waitForURL(new RegExp(`/live/services/shop\\?at=${before}$`));
  check((await page.locator("#live").getAttribute("data-live")) === "past", "the service is of the past too");
  await page.goBack();
  await shows(page, "holds", before);

  step("back to live");
  await page.click("#moment .to-live");
  await page.waitForFunction(() => document.getElementById("live")?.dataset.live === "live");
  await shows(page, "violated", null);

  step("by keyboard: m opens the bar, arrows go back, l returns");
  await page.keyboard.press("m");
  await page.waitForSelector("#moment:popover-open");
  check(await page.locator(SLIDER).evaluate((input) => input === document.activeElement), "the slider has the focus");
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction(() => document.getElementById("live")?.dataset.live === "past" && location.search.includes("at="));
  check(await page.locator("#moment").isVisible(), "the bar stays");
  check(await page.locator(SLIDER).evaluate((input) => input === document.activeElement), "the focus stays");
  await page.locator("h1").first().evaluate((h1) => { h1.tabIndex = -1; h1.focus(); });
  await page.keyboard.press("l");
  await page.waitForFunction(() => document.getElementById("live")?.dataset.live === "live");

  step("the way back in history leads to the past");
  await page.goBack();
  await page.waitForFunction(() => location.search.includes("at=") && document.getElementById("live")?.dataset.live === "past");

  step("the exact time, without script");
  const plain = await open(`${url}?at=${before}`, { javaScriptEnabled: false });
  await plain.click("#moment summary");
  const field = plain.locator("#moment input[name=at]");
  // Browsers leave out seconds that are none.
  const then = new Date(Number(after) * 1000).toISOString().slice(0, 19).replace(/:00$/, "");
  await field.fill(then);
  await plain.click("#moment .btn");
  await plain.waitForURL(/at=/);
  check((await verdict(plain).innerText()) === "violated", "the form leads to the other moment");
  check((await plain.locator(`a[href*="at=${after}"]`).count()) > 3, "links keep it without script");
  await plain.click("#moment .to-live");
  check((await plain.locator("body").getAttribute("data-at")) === null, "and back");
});
