// A built site opened from its files: node from_file.mjs FOLDER
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { check, step, until, withBrowser } from "./chromium.mjs";

const [folder] = process.argv.slice(2);

await withBrowser(async (_browser, open) => {
  const page = await open(pathToFileURL(join(folder, "index.html")).href);
  const problems = [];
  page.on("requestfailed", (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`));

  step("scripts run: the section in view is marked");
  await page.evaluate(() => document.querySelector("#far-down").scrollIntoView({ behavior: "instant" }));
  await until("the mark is at the section", async () => (await page.locator("a[data-spy][href='#far-down'][aria-current]").count()) > 0);

  step("colours can be chosen, and the choice is kept on the next page");
  await page.locator("#mode").click();
  const mode = await page.evaluate(() => document.documentElement.dataset.mode);
  await page.locator("#side a", { hasText: "Second" }).first().click();
  await page.waitForURL(/second\.html/);
  check((await page.evaluate(() => document.documentElement.dataset.mode)) === mode, "another mode");

  step("style and pictures are there");
  const family = await page.evaluate(() => getComputedStyle(document.body).fontFamily);
  check(!/^"?Times/.test(family), `the page has no style: ${family}`);
  check(problems.length === 0, problems.join("\n"));

  step("on a small screen the menu opens");
  await page.setViewportSize({ width: 390, height: 800 });
  await page.locator("button.menu").click();
  await page.locator("#side").getByText("Second").first().waitFor();
});
