// From a sentence to the span and back: node sentence.mjs URL TRACE mouse|keyboard
import { check, step, withBrowser } from "./chromium.mjs";

const [url, trace, how] = process.argv.slice(2);
/** Presses of Tab until something has the focus; more would mean that it cannot be reached. */
const TABS_MAX = 150;

/** Follows a link or opens a fold, with the mouse or with Tab and Enter alone. */
async function use(page, selector) {
  const wanted = page.locator(selector).first();
  await wanted.waitFor({ state: "attached" });
  if (how === "mouse") return wanted.click();
  for (let nth = 0; nth < TABS_MAX; nth++) {
    await page.keyboard.press("Tab");
    if (await wanted.evaluate((element) => element === document.activeElement)) return page.keyboard.press("Enter");
  }
  throw new Error(`${selector} is not reached by Tab`);
}

await withBrowser(async (_browser, open) => {
  const page = await open(`${url}/`);

  step(`the figure in the sentence, by ${how}`);
  await use(page, "main p a.inline-kpi");
  await page.waitForURL(/\/live\/figures\/answer$/);
  check((await page.locator("main h1").innerText()) === "Answer time", "the figure's own page");
  check((await page.locator("main .panel.chart svg path.line").count()) > 0, "with its chart");

  step("an exemplar of the chart");
  if (how === "mouse") await use(page, `main .panel.chart a[href*="/live/traces/${trace}"]`);
  else await use(page, `main .exemplars a[href*="/live/traces/${trace}"]`);
  await page.waitForURL(new RegExp(`/live/traces/${trace}`));

  step("a span, and its log");
  await use(page, "main details > summary:has-text('GET /basket')");
  await use(page, 'main a[href*="/live/logs?trace="][href*="span="]');
  await page.waitForURL(/\/live\/logs\?/);
  check((await page.locator("main").innerText()).includes("basket looked up"), "the record is listed");

  step("from the log to its request, and back to the section");
  await use(page, "main .logs summary");
  await use(page, `main .logs a[href*="/live/traces/${trace}"]`);
  await page.waitForURL(new RegExp(`/live/traces/${trace}`));
  await use(page, 'main a[href*="#promises"]');
  await page.waitForURL(/#promises$/);
  check(await page.locator("#promises").isVisible(), "the section that explains it");

  step("from the figure's page back to its paragraph");
  await page.goto(`${url}/live/figures/answer`);
  await use(page, 'main .stated a[href*="#figure:0"]');
  await page.waitForURL(/#figure:0$/);
  check(await page.locator("[id='figure:0']").isVisible(), "the sentence that states it");
});
