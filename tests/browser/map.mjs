// The map of many services: node map.mjs URL
// All that stands on it stays where it is when more come; searching and looking at neighbours.
import { check, picture, step, until, withBrowser } from "./chromium.mjs";
import { feed } from "./traffic.mjs";

const [url] = process.argv.slice(2);
const [MANY, MORE, MOST] = [180, 20, 200];
/** So long the map is laid out from names alone, in milliseconds; a second more for the next look. */
const SETTLES = 11_000;

const name = (/** @type {number} */ nth) => `svc-${String(nth).padStart(3, "0")}`;
/** Each is called by another that came before. */
const calls = (/** @type {number} */ from, /** @type {number} */ to) =>
  Array.from({ length: to - from }, (_, nth) => ({ from: name(Math.floor((from + nth - 1) / 4)), to: name(from + nth), count: 2 }));

/** Where each box stands, in the drawing's own units. @param {import("playwright-core").Page} page */
const boxes = (page) =>
  page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll(".mermaid.map .node")].map((node) => {
        const { x, y } = /** @type {SVGPathElement} */ (node.querySelector(".shape")).getBBox();
        return [[...node.querySelectorAll(".name")].map((line) => line.textContent).join(""), `${x.toFixed(1)} ${y.toFixed(1)}`];
      }),
    ),
  );
const views = [
  ["right", "", 1440, "light"],
  ["down", "?direction=down", 1440, "light"],
  ["owner", "?groups=owner", 1440, "light"],
  ["layer", "?groups=layer", 1440, "dark"],
  ["phone", "", 390, "dark"],
  ["focus", "?focus=svc-004", 1440, "dark"],
  ["search", "?q=svc-017", 1440, "light"],
];

await withBrowser(async (_browser, open) => {
  step(`${MANY} services`);
  await feed(url, calls(1, MANY));
  const page = await open(`${url}live/map`);
  const services = async () => Object.keys(await boxes(page)).filter((one) => one.startsWith("svc-"));
  await until("all of them", async () => (await services()).length === MANY);
  await new Promise((wake) => setTimeout(wake, SETTLES));
  for (const groups of ["none", "owner", "layer"]) {
    await page.goto(`${url}live/map?groups=${groups}`);
    const before = await boxes(page);
    check(Object.keys(before).length >= MANY, `${Object.keys(before).length} boxes by ${groups}`);
    if (groups === "none") {
      step(`${MORE} more come while the reader looks on`);
      await feed(url, calls(MANY, MOST));
      await until("they are there, too", async () => (await services()).length === MOST);
      const after = await boxes(page);
      const moved = Object.keys(before).filter((one) => one.startsWith("svc-") && before[one] !== after[one]);
      check(moved.length === 0, `${moved.length} moved: ${moved.slice(0, 5)}`);
    }
  }

  step("one is found among them, and its neighbours are shown alone");
  await page.goto(`${url}live/map?q=svc-017`);
  check((await page.locator(".mermaid.map .marked").count()) === 1, "one is marked");
  await until("it is in sight", () =>
    page.evaluate(() => {
      const [box, frame] = [".marked .shape", ".service-map .scroll"].map((one) => document.querySelector(one)?.getBoundingClientRect());
      return box && frame && box.top >= frame.top && box.bottom <= frame.bottom && box.left >= frame.left && box.right <= frame.right;
    }),
  );
  check((await page.locator(".service-map .scroll").evaluate((one) => one.clientHeight / innerHeight)) < 0.8, "the map is no longer than the window");
  await page.getByText("One is called").waitFor();
  await page.goto(`${url}live/map?focus=svc-004`);
  const near = (await services()).sort();
  check(near.join(" ") === [0, 4, 17, 18, 19, 20].map(name).join(" "), near.join(" "));

  if (process.env.LOGGIA_PICTURES) {
    for (const [stem, query, width, colorScheme] of views) {
      const view = await open(`${url}live/map${query}`, { colorScheme, viewport: { width, height: 1000 } });
      await view.evaluate((scheme) => (document.documentElement.dataset.mode = scheme), colorScheme);
      await picture(view, `map-${stem}`);
      await view.context().close();
    }
  }
});
