// Everything that Markdown becomes, as readers use it: node markdown.mjs URL
// The book is `tests/doors/markdown`.
import { readFileSync } from "node:fs";
import { check, picture, step, withBrowser } from "./chromium.mjs";

const url = process.argv[2];
const SOURCE = readFileSync(new URL("../doors/markdown/index.md", import.meta.url), "utf8");
/** What stands inside each fence, in order; this book has none inside of lists or quotes. */
const FENCES = [...SOURCE.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, info, text]) => ({ info, text }));
const TABS = ["Linux", "macOS", "Windows"];

/** The code of the fence whose info string begins so. */
const fence = (info) => FENCES.find((one) => one.info.startsWith(info)).text;
const shown = (locator) => locator.evaluateAll((all) => all.map((one) => one.checkVisibility()));
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

await withBrowser(async (_browser, open) => {
  const page = await open(url, { permissions: ["clipboard-read", "clipboard-write"] });
  const blocks = page.locator("main .code");
  const block = (words) => blocks.filter({ hasText: words }).first();
  const copied = async (one) => {
    await one.hover();
    await one.getByRole("button", { name: "Copy code" }).click();
    await one.getByRole("status").filter({ hasText: "Copied" }).waitFor({ state: "attached" });
    return clipboard(page);
  };

  step("titles, numbers and marked lines; each line stands once");
  const first = block("println!");
  check((await first.locator(".code-title").innerText()) === "src/main.rs", "a title");
  check((await first.locator(".marked").count()) === 3, "lines 2, 4 and 5 are marked");
  check((await block("return 10").locator("[data-line]").evaluateAll((all) => all.map((one) => one.dataset.line))).join() === "9,10", "numbers from 9");
  const rows = (one) => one.locator("pre").evaluate((pre) => {
    const style = getComputedStyle(pre);
    const inside = pre.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    return Math.round(inside / parseFloat(style.lineHeight));
  });
  check((await rows(first)) === 6, `six lines take the room of ${await rows(first)}`);
  const widths = await first.locator(".marked").evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().width)));
  const whole = await first.locator("pre").evaluate((pre) => pre.scrollWidth);
  check(widths.every((width) => width >= whole - 2), `marks of ${widths} in a block of ${whole}`);

  step("the button copies the source as written");
  check((await copied(first)) === fence("rust title"), "with numbers and marks, only the code");
  check((await copied(block("main :: IO"))) === fence("haskell"), "coloured code");
  check((await copied(block("+new"))) === fence("diff"), "a difference keeps its signs");
  check((await copied(block("cargo build"))) === fence("console").replaceAll("$ ", ""), "commands come without their prompt");

  step("hidden lines show themselves, and are copied then");
  const hiding = block("map.insert");
  const quiet = FENCES.find((one) => one.info === "rust").text;
  const visible = quiet.split("\n").filter((line) => !line.startsWith("# ")).join("\n");
  check((await copied(hiding)) === visible, "only what is seen");
  check(!(await shown(hiding.locator(".boring"))).includes(true), "they are hidden");
  await hiding.getByLabel("Show hidden lines").focus();
  await page.keyboard.press("Space");
  check(!(await shown(hiding.locator(".boring"))).includes(false), "and shown by a key");
  check((await copied(hiding)) === quiet.replace(/^# /gm, ""), "all of it");
  check((await rows(hiding)) === 6, `six lines take the room of ${await rows(hiding)}`);

  step("tabs go by arrow keys, and every row follows");
  const lists = page.getByRole("tablist");
  const tab = (name) => lists.first().getByRole("tab", { name });
  check((await lists.first().getByRole("tab").allInnerTexts()).join() === TABS.join(), "three tabs");
  await tab("Linux").focus();
  await page.keyboard.press("ArrowRight");
  check((await tab("macOS").getAttribute("aria-selected")) === "true", "the next one");
  check(await block("brew install").isVisible() && !(await block("apt install").isVisible()), "its code");
  check(await block("brew services").isVisible(), "the other row follows");
  await page.keyboard.press("End");
  check((await tab("Windows").getAttribute("aria-selected")) === "true", "the last one");
  check(await block("brew services").isVisible(), "a row without it stays");
  await page.keyboard.press("ArrowRight");
  check((await tab("Linux").evaluate((one) => one === document.activeElement)) && (await block("apt install").isVisible()), "around to the first");
  check((await lists.first().locator("[tabindex='0']").count()) === 1, "one stop for the Tab key");
  await tab("macOS").click();
  await page.reload();
  check(await block("brew install").isVisible(), "the choice is kept");

  step("formulas, alerts, tasks, footnotes, definitions, tables, folds");
  check((await page.locator("main math").count()) === 3, "three formulas");
  check((await page.locator("main math mfrac").first().evaluate((one) => one.getBoundingClientRect().height)) > 15, "a fraction is drawn");
  check((await page.locator(".alert-title").allInnerTexts()).join() === "Note,Tip,Important,Warning,Caution", "five kinds");
  check((await page.locator("main li > input[type=checkbox]").evaluateAll((all) => all.map((one) => one.checked))).join() === "true,false,true", "tasks");
  await page.locator("main .footnote a").first().click();
  check(await page.locator(".footnotes li").first().evaluate((one) => one.matches(":target")), "to the footnote");
  await page.locator(".footnote-back").first().click();
  check(await page.locator("main .footnote").first().evaluate((one) => one.matches(":target")), "and back");
  check((await page.locator("main dt").count()) === 2 && (await page.locator("main dd").count()) === 3, "terms and meanings");
  check((await page.locator("main td[align=right]").first().innerText()) === "12 m", "a column to the right");
  await page.getByText("More about it").click();
  check(await block("null").isVisible(), "a fold opens");
  check(await page.locator("#an-emoji-first").isVisible() && (await page.locator("[id='-an-emoji-first']").count()) === 1, "an emoji's heading has both addresses");

  for (const [width, height] of [[1440, 1000], [390, 844]]) {
    await page.setViewportSize({ width, height });
    check((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `scrolls sideways at ${width}`);
    for (const mode of ["light", "dark"]) {
      await page.evaluate((mode) => { document.documentElement.dataset.mode = mode; }, mode);
      await picture(page, `markdown-${width}-${mode}`, { fullPage: true });
    }
  }

  step("without a script every tab is there, with its name");
  const plain = await open(url, { javaScriptEnabled: false });
  check(!(await shown(plain.locator(".tab"))).includes(false), "all of them");
  check((await plain.locator(".tab-title").allInnerTexts()).join() === [...TABS, "Linux", "macOS"].join(), "their names");
  check((await plain.locator("main math").count()) === 3, "formulas");
  const hidden = plain.locator(".code").filter({ hasText: "map.insert" });
  await hidden.getByLabel("Show hidden lines").check();
  check(!(await shown(hidden.locator(".boring"))).includes(false), "hidden lines show themselves");
});
