// Asks axe-core about every kind of page, light and dark, wide and narrow: node axe.mjs URL PATH ...
// A path may name what the reader opens there: `/page.html!keys`, `/page.html!search=WORDS`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { check, picture, step, until, withBrowser } from "./chromium.mjs";

const [url, ...paths] = process.argv.slice(2);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [1440, 390];
const MODES = ["light", "dark"];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Rules that ask for what stands behind an open drawer. */
const BEHIND = ["landmark-one-main", "page-has-heading-one"];

/** What the reader may open on a page, by the word behind `!` in its path. */
const OPENED = {
  search: async (page, _width, words) => {
    await page.keyboard.press("/");
    await page.locator("#search input").fill(words);
    await until("an answer", async () => (await page.locator("#search .search-said").innerText()) !== "");
  },
  keys: (page) => page.keyboard.press("?"),
  drawer: async (page, width) => {
    if (width < 600) await page.locator(".bar .menu").click();
  },
  term: (page) => page.locator("main .term a").first().focus(),
};

await withBrowser(async (_browser, open) => {
  let [looks, passed] = [0, 0];
  const found = [];
  for (const named of paths) {
    const [path, opened] = named.split("!");
    for (const width of WIDTHS) {
      const page = await open(new URL(path, url).href, { viewport: { width, height: 900 } });
      const [what, words] = (opened ?? "").split("=");
      if (what) await OPENED[what](page, width, words);
      for (const mode of MODES) {
        await page.evaluate((mode) => { document.documentElement.dataset.mode = mode; }, mode);
        await page.evaluate(AXE);
        // Behind the open drawer the page is inert, as behind a dialog: its main part is not there for anybody.
        const rules = Object.fromEntries(what === "drawer" && width < 600 ? BEHIND.map((rule) => [rule, { enabled: false }]) : []);
        // A page opened from a file may not read its own style sheet, as axe would.
        const options = { runOnly: TAGS, resultTypes: ["violations"], rules, preload: !url.startsWith("file:") };
        const told = await page.evaluate((options) => globalThis.axe.run(document, options), options);
        looks++;
        passed += told.passes.length;
        for (const rule of told.violations) {
          for (const node of rule.nodes) found.push(`${named} ${width} ${mode}: ${rule.id}: ${node.target.join(" ")}: ${node.failureSummary.split("\n").slice(1).join(" ").slice(0, 200)}`);
        }
        await picture(page, `${named.replace(/^\W+/, "").replace(/\W+/g, "-") || "home"}-${mode}-${width}`);
      }
      await page.context().close();
    }
  }
  step(`axe-core: ${paths.length} pages, ${looks} looks, ${passed} rules passed, ${found.length} violations`);
  check(found.length === 0, [...new Set(found)].slice(0, 60).join("\n"));
});
