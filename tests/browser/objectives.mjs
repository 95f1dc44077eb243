// Objectives in a page, in the list and alone, by keyboard too: node objectives.mjs URL
import { cell, check, step, until, withBrowser } from "./chromium.mjs";

const [url] = process.argv.slice(2);

await withBrowser(async (_browser, open) => {
  step("a promise in the document says whether it holds");
  const page = await open(`${url}/index.html`);
  check((await cell(page, "slo.latency.verdict").innerText()) === "violated", "the latency is not told");
  const width = await page.evaluate(() => document.querySelector("[data-cell='slo.availability.fill']").getBoundingClientRect().width);
  const whole = await page.evaluate(() => document.querySelector("[data-cell='slo.availability.fill']").parentElement.getBoundingClientRect().width);
  check(Math.abs(width / whole - 0.5) < 0.03, `half of the budget is left, but ${width} of ${whole} is drawn`);

  step("by keyboard to its own page, and back to the sentence");
  await page.locator("a.name", { hasText: "Latency" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/live/objectives/latency");
  await until("the chart is drawn", () => page.evaluate(() => (document.querySelector(".objective-chart .line")?.getAttribute("d") || "").length > 10));
  check((await page.locator("table:not(.plot-table table) tbody tr").count()) === 4, "there are four alerts");
  await page.locator(".head a", { hasText: "Promises" }).click();
  await page.waitForURL("**/index.html#promises");

  step("the list, all and some");
  await page.goto(`${url}/live/objectives`);
  const rows = () => page.locator(".objective").count();
  const all = await rows();
  await page.locator(".chips a", { hasText: "violated" }).click();
  await until("only some are listed", async () => (await rows()) === 2 && all > 2);
  for (const width of [360, 390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= width, `the list is ${wide} wide at ${width}`);
  }
});
