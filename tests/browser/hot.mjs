// Hot reload as an author meets it: node hot.mjs URL FOLDER
// FOLDER is the book; it is written to, and the caller throws it away.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { check, step, until, withBrowser } from "./chromium.mjs";

const [url, folder] = process.argv.slice(2);
const file = join(folder, "index.md");
const source = readFileSync(file, "utf8");
const save = (text) => writeFileSync(file, text);

await withBrowser(async (_browser, open) => {
  const page = await open(url);
  const shows = (text) => until(`the page shows "${text}"`, () => page.evaluate((text) => document.querySelector("#main")?.textContent.includes(text), text));
  const lacks = (text) => until(`the page no longer shows "${text}"`, () => page.evaluate((text) => !document.querySelector("#main")?.textContent.includes(text), text));

  step("what is the reader's stays: focus, open details, selection, scrolled boxes, the nodes themselves");
  await page.evaluate(() => {
    window.stayed = true;
    const details = document.querySelector("#main details");
    details.open = true;
    window.paragraph = [...document.querySelectorAll("#main p")].find((one) => one.textContent.includes("Selected words"));
    getSelection().setBaseAndExtent(window.paragraph.firstChild, 0, window.paragraph.firstChild, 8);
    window.link = document.querySelector("#main p a[href]");
    window.link.focus();
    const wide = document.querySelector("#main pre");
    window.wide = wide;
    document.querySelector("#far-down").scrollIntoView({ behavior: "instant" });
    window.top0 = document.querySelector("#far-down").getBoundingClientRect().top;
  });
  save(source.replace("# Page", "# Page\n\nA new paragraph.\n\n- and\n- a list").replace("TEXT BELOW", "Other words below."));
  await shows("A new paragraph.");
  await shows("Other words below.");
  const kept = await page.evaluate(() => ({
    stayed: window.stayed,
    open: document.querySelector("#main details").open,
    same: document.contains(window.paragraph) && document.contains(window.wide),
    selected: getSelection().toString(),
    focused: document.activeElement === window.link,
    moved: Math.abs(document.querySelector("#far-down").getBoundingClientRect().top - window.top0),
  }));
  check(kept.stayed, "the page was loaded again");
  check(kept.open, "the details were closed");
  check(kept.same, "a paragraph that did not change was replaced");
  check(kept.selected === "Selected", `the selection is "${kept.selected}"`);
  check(kept.focused, "the focus was lost");
  check(kept.moved < 4, `the place moved by ${kept.moved} px`);

  step("an editor that writes beside the file and renames over it");
  writeFileSync(`${file}~`, source.replace("TEXT BELOW", "Renamed over."));
  renameSync(`${file}~`, file);
  await shows("Renamed over.");

  step("an editor that moves the file away and writes a new one");
  renameSync(file, `${file}.bak`);
  save(source.replace("TEXT BELOW", "Written anew."));
  await shows("Written anew.");
  rmSync(`${file}.bak`);

  step("a burst of saves ends in the last one");
  for (let nth = 1; nth <= 40; nth++) save(source.replace("TEXT BELOW", `Save number ${nth}.`));
  await shows("Save number 40.");

  step("a save in two steps shows no empty page");
  await page.evaluate(() => {
    window.empty = false;
    new MutationObserver(() => (window.empty ||= !document.querySelector("#far-down"))).observe(document.body, { childList: true, subtree: true });
  });
  writeFileSync(file, "");
  await new Promise((wake) => setTimeout(wake, 20));
  save(source.replace("TEXT BELOW", "In two steps."));
  await shows("In two steps.");
  check(!(await page.evaluate(() => window.empty)), "the page was empty for a moment");

  step("a page that is made, renamed and deleted comes to and goes from the sidebar");
  const inSide = (title, there) => until(`"${title}" ${there ? "is in" : "is gone from"} the sidebar`, async () => (await page.locator("#side a", { hasText: title }).count() > 0) === there);
  writeFileSync(join(folder, "second.md"), "# Second one\n");
  await inSide("Second one", true);
  renameSync(join(folder, "second.md"), join(folder, "third.md"));
  await until("the link leads to the new name", async () => (await page.locator("#side a[href$='third.html']").count()) > 0);
  check((await page.locator("#side a[href$='second.html']").count()) === 0, "the old name is still there");
  rmSync(join(folder, "third.md"));
  await inSide("Second one", false);

  step("a style sheet of the theme takes the place of the one before, without a moment of none");
  mkdirSync(join(folder, "theme"), { recursive: true });
  const style = (colour) => writeFileSync(join(folder, "theme", "custom.css"), `#main p { color: ${colour} }\n`);
  const coloured = (colour) => until(`paragraphs are ${colour}`, () => page.evaluate((colour) => getComputedStyle(document.querySelector("#main p")).color === colour, colour));
  style("rgb(1, 2, 3)");
  await coloured("rgb(1, 2, 3)");
  await page.evaluate(() => {
    const paragraph = document.querySelector("#main p");
    const look = () => {
      const { color, fontFamily } = getComputedStyle(paragraph);
      return `${color} ${fontFamily}`;
    };
    window.looks = new Set([look()]);
    const frame = () => {
      window.looks.add(look());
      if (window.looking) requestAnimationFrame(frame);
    };
    window.looking = true;
    // Between two frames too: a sheet that is gone shows at the next change of the head.
    new MutationObserver(() => window.looks.add(look())).observe(document.head, { childList: true });
    requestAnimationFrame(frame);
  });
  style("rgb(4, 5, 6)");
  await coloured("rgb(4, 5, 6)");
  const looks = await page.evaluate(async () => {
    await new Promise((done) => setTimeout(done, 200));
    window.looking = false;
    return [...window.looks];
  });
  check(looks.length === 2, `between the two sheets the text looked like ${JSON.stringify(looks)}`);
  check(await page.evaluate(() => window.stayed === true), "the page was loaded again");
  rmSync(join(folder, "theme"), { recursive: true });
  await until("the theme is gone", () => page.evaluate(() => getComputedStyle(document.querySelector("#main p")).color !== "rgb(4, 5, 6)"));

  step("a mistake is told with file, line, column and excerpt, and goes when it is mended");
  save(source.replace("TEXT BELOW", "```mermaid\ngraph TD\n A[open --> B\n```"));
  const panel = page.locator("#problems");
  await until("the finding", async () => /L003/.test(await panel.innerText()));
  const told = await panel.innerText();
  check(/index\.md:\d+:\d+/.test(told), `no place in: ${told}`);
  check(/A\[open --> B/.test(told), `no excerpt in: ${told}`);
  save(source.replace("TEXT BELOW", "Mended."));
  await shows("Mended.");
  await until("the finding is gone", async () => (await panel.innerText()).trim() === "");

  step("the open page's file is deleted, and comes back");
  writeFileSync(join(folder, "other.md"), "# Other\n");
  await inSide("Other", true);
  rmSync(file);
  await lacks("Mended.");
  save(source.replace("TEXT BELOW", "Back again."));
  await shows("Back again.");

  step("and all of that without loading the page again");
  check(await page.evaluate(() => window.stayed === true), "the page was loaded again");
});
