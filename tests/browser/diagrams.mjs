// Pictures of every diagram of a book: node diagrams.mjs URL PAGE...
// Each in light and dark, with traffic on it, into the folder LOGGIA_PICTURES.
import { keepFeeding, SEEDS } from "./traffic.mjs";
import { picture, step, until, withBrowser } from "./chromium.mjs";

const [url, ...pages] = process.argv.slice(2);
const WIDTH = Number(process.env.WIDTH ?? 1440);
/** Which of the three figures the lines show. */
const FIGURE = process.env.FIGURE ?? "rate";

const stop = await keepFeeding(url, SEEDS);
// One second says little of what comes once in two.
await new Promise((wake) => setTimeout(wake, 6000));
await withBrowser(async (_browser, open) => {
  for (const name of pages) {
    for (const scheme of ["light", "dark"]) {
      const page = await open(new URL(name, url).href, { colorScheme: scheme, viewport: { width: WIDTH, height: 1000 } });
      await page.evaluate((scheme) => (document.documentElement.dataset.mode = scheme), scheme);
      // The page's bar stays at the top: it must not lie on a drawing that is higher than the window.
      await page.evaluate(() => document.querySelectorAll("header").forEach((bar) => (bar.style.position = "static")));
      await until("live values", () => page.evaluate(() => !document.querySelector('[data-state="loading"]')));
      const figures = page.locator("figure.diagram, pre.boxes");
      for (let at = 0; at < (await figures.count()); at++) {
        const figure = figures.nth(at);
        const wanted = figure.locator(`input[value="${FIGURE}"]`);
        if (await wanted.count()) await wanted.check({ force: true });
        await figure.scrollIntoViewIfNeeded();
        const stem = `${name.replace(/\.html$/, "").replaceAll("/", "-")}-${at}-${scheme}`;
        const box = await figure.boundingBox();
        await picture(page, stem, { fullPage: true, clip: { ...box, y: box.y + (await page.evaluate(() => scrollY)) } });
      }
      step(`${name} ${scheme}: ${await figures.count()} drawings`);
      await page.context().close();
    }
  }
});
stop();
