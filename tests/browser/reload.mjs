// Saving a file updates the open page in place: node reload.mjs URL FILE
// FILE is the page's Markdown; it is written to, and the caller throws it away.
import { readFileSync, writeFileSync } from "node:fs";
import { check, step, until, withBrowser } from "./chromium.mjs";

const [url, file] = process.argv.slice(2);

await withBrowser(async (_browser, open) => {
  const page = await open(url);
  const source = readFileSync(file, "utf8");
  await page.evaluate(() => { window.stayed = true; });
  await page.evaluate(() => document.querySelector("#far-down").scrollIntoView({ behavior: "instant" }));
  const place = () => page.evaluate(() => document.querySelector("#far-down").getBoundingClientRect().top);
  const before = await place();

  step("a save shows in place");
  writeFileSync(file, source.replace("TEXT ABOVE", "TEXT ABOVE\n\nThree\n\nmore\n\nlines").replace("TEXT BELOW", "Fresh words."));
  await page.getByText("Fresh words.").waitFor();
  check(await page.evaluate(() => window.stayed === true), "the page was not loaded again");

  step("the place is kept though the text above grew");
  const after = await place();
  check(Math.abs(after - before) < 4, `moved by ${after - before} px`);

  step("a mistake is shown, and the last good version stays");
  writeFileSync(file, source.replace("TEXT BELOW", "```mermaid\ngraph TD\n A[open --> B\n```"));
  await page.getByText("L003").first().waitFor();
  check(await page.getByText("Fresh words.").isVisible(), "the last good version");

  step("mended, the mistake goes");
  writeFileSync(file, source.replace("TEXT BELOW", "Mended words."));
  await page.getByText("Mended words.").waitFor();
  await until("the finding is gone", async () => (await page.getByText("L003").count()) === 0);
});
