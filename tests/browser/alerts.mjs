// The view of alerts, live: node alerts.mjs URL FILE, where writing `0` or `1` into FILE closes or opens the shop.
import { writeFileSync } from "node:fs";
import { cell, check, step, until, withBrowser } from "./chromium.mjs";

const [url, file] = process.argv.slice(2);

await withBrowser(async (_browser, open) => {
  step("nothing fires");
  const page = await open(`${url}/live/alerts`);
  await until("the rule was evaluated", async () => (await cell(page, "rule.0.state").innerText()) === "inactive");
  check(!(await page.locator(".bar .mark-count").isVisible()), "the top bar has a mark");

  step("an alert comes to the open page, and to the top bar of every page");
  const home = await open(`${url}/`);
  writeFileSync(file, "0");
  await until("it is listed", async () => (await page.locator(".alerts li").count()) === 1);
  await until("it fires", async () => (await page.locator(".alerts .badge").innerText()) === "firing");
  await until("the bar counts it", async () => (await home.locator(".bar .mark-count").innerText()) === "1");

  step("by keyboard to what it says and to the service");
  await page.locator(".alerts summary").focus();
  await page.keyboard.press("Enter");
  check(await page.locator(".alerts .chip", { hasText: "severity" }).isVisible(), "its labels are hidden");
  for (const width of [360, 390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= width, `the page is ${wide} wide at ${width}`);
  }
  await page.locator(".alerts a", { hasText: "service orders" }).click();
  await page.waitForURL("**/live/services/orders");
  check((await page.locator(".service-alerts .alerts li").count()) === 1, "the service's page does not show it");

  step("it is over");
  writeFileSync(file, "1");
  await until("the service's page shows none", async () => (await page.locator(".service-alerts").count()) === 0);
  await until("the mark goes", async () => !(await home.locator(".bar .mark-count").isVisible()));
});
