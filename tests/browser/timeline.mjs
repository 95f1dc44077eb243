// What happened, on the view of alerts: node timeline.mjs URL, a server whose alert was over and that saw a deploy.
import { check, step, until, withBrowser } from "./chromium.mjs";

const [url] = process.argv.slice(2);

await withBrowser(async (_browser, open) => {
  step("a mark leads to its line, and the line on");
  const page = await open(`${url}/live/alerts?from=now-5m`);
  await page.locator(".lanes .deploy .mark").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**#happened-*");
  const line = page.locator(".entries li:target");
  check((await line.innerText()).includes("1.4.2 → 1.5.0"), await line.innerText());

  step("by keyboard from line to line");
  await page.locator(".happened").click({ position: { x: 5, y: 5 } });
  await page.keyboard.press("j");
  check((await page.locator("[data-row][data-here]").count()) === 1, "j goes to the first line");

  step("dragging narrows the time");
  const lanes = await page.locator("[data-timeline]").boundingBox();
  const y = lanes.y + lanes.height - 3;
  await page.mouse.move(lanes.x + lanes.width * 0.1, y);
  await page.mouse.down();
  await page.mouse.move(lanes.x + lanes.width * 0.3, y, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=\d{4}.*to=\d{4}/);
  await until("nothing happened then", async () => (await page.locator(".entries li").count()) === 0);
  for (const width of [360, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    await page.goto(`${url}/live/alerts?from=now-5m`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= width, `${wide} wide at ${width}`);
  }
});
