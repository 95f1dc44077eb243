// A theme's files change while the book is served: node theme.mjs URL THEME-FOLDER
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { check, step, until, withBrowser } from "./chromium.mjs";

const [url, folder] = process.argv.slice(2);
const save = (name, text) => writeFileSync(join(folder, name), text);

await withBrowser(async (_browser, open) => {
  const page = await open(url);
  await page.evaluate(() => { window.stayed = true; });
  const colour = (wanted) => until(`the title is ${wanted}`, async () => (await page.evaluate(() => getComputedStyle(document.querySelector("main h1")).color)) === wanted);
  const shows = (place, words) => until(`${place} says "${words}"`, async () => (await page.locator(place).allInnerTexts()).join().includes(words));

  step("what is there at first");
  await colour("rgb(200, 0, 0)");
  await shows(".site-header", "Draft of March");

  step("a style sheet that changes");
  save("custom.css", "main h1 { color: rgb(0, 0, 200) }");
  await colour("rgb(0, 0, 200)");

  step("a style sheet that an editor replaces by another file");
  save("custom.css~", "main h1 { color: rgb(0, 120, 0) }");
  renameSync(join(folder, "custom.css~"), join(folder, "custom.css"));
  await colour("rgb(0, 120, 0)");

  step("a style sheet that changes again while the page is fetched");
  await page.route(url, async (route) => {
    const answer = await route.fetch();
    save("custom.css", "main h1 { color: rgb(0, 90, 90) }");
    await new Promise((wake) => setTimeout(wake, 500));
    await route.fulfill({ response: answer });
  }, { times: 1 });
  save("custom.css", "main h1 { color: rgb(90, 90, 0) }");
  await colour("rgb(0, 90, 90)");

  step("slots that change, come and go");
  save("header.html", "<p>Draft of April</p>");
  await shows(".site-header", "Draft of April");
  save("footer.html", "<p>Imprint</p>");
  await shows(".site-foot", "Imprint");
  rmSync(join(folder, "footer.html"));
  await until("the footer is gone", async () => !(await page.locator("body").innerText()).includes("Imprint"));
  check(await page.evaluate(() => window.stayed === true), "the page was loaded anew");

  step("a file that is no text: words, not silence");
  writeFileSync(join(folder, "header.html"), Buffer.from([0x3c, 0x70, 0x3e, 0xff, 0xfe]));
  await shows("#problems", "header.html");
  save("header.html", "<p>Draft of May</p>");
  await until("the words are gone", async () => !(await page.locator("#problems").allInnerTexts()).join().includes("header.html"));
  await shows(".site-header", "Draft of May");
});
