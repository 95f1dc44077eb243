// Looking closer at a diagram: node figure.mjs URL FILE
// FILE is the page's Markdown with two diagrams, the second much wider than the page; it is written to.
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { check, picture, step, until, withBrowser } from "./chromium.mjs";

const [url, file] = process.argv.slice(2);
/** All scripts of a page, compressed: the bound of the whole theme. */
const SCRIPT_BYTES = 60_000;
const SMALLEST_LETTERS = 10.9;

/** What the reader sees of a figure. */
const look = (page, id) => page.evaluate((id) => {
  const figure = document.getElementById(id);
  const [scroll, svg] = [figure.querySelector(".scroll"), figure.querySelector("svg.mermaid")];
  const scale = svg.getScreenCTM().a;
  const [left, top, wide, high] = [scroll.scrollLeft, scroll.scrollTop, scroll.scrollWidth - scroll.clientWidth, scroll.offsetHeight];
  return { scale, left, top, wide, high, full: figure.matches(".full"), page: scrollY };
}, id);
/** Where a box of the second figure is in the window. */
const place = (page, name) => page.evaluate((id) => {
  const box = document.getElementById(id).getBoundingClientRect();
  return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
}, `figure-1:${name}`);
const near = (a, b, slack = 3) => Math.abs(a - b) <= slack;

await withBrowser(async (browser, open) => {
  step("without script the figure scrolls, and its source can be read");
  const still = await open(url, { javaScriptEnabled: false });
  check(!(await still.getByRole("button", { name: "Zoom in" }).first().isVisible()), "no buttons");
  check((await look(still, "figure-1")).wide > 200, "the wide figure scrolls");
  await still.locator("#figure-0 summary").click();
  check((await still.locator("#figure-0 .mermaid-source").innerText()).includes("A[Web app]"), "the source");
  await still.goto(`${url}#figure-1:n9`);
  await until("a link reaches its box", async () => near((await place(still, "n9")).x, 720, 720));
  await still.context().close();

  const page = await open(url);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const [small, wide] = ["#figure-0", "#figure-1"].map((id) => page.locator(id));
  const scroll = wide.locator(".scroll");
  const start = () => wide.getByRole("button", { name: "Fit the whole drawing" });

  step("a wide drawing keeps readable letters and says that there is more");
  await until("the hint", () => wide.locator(".hint").isVisible());
  check(!(await small.locator(".hint").isVisible()), "no hint where all is seen");
  const first = await look(page, "figure-1");
  check(first.scale * 14 >= SMALLEST_LETTERS, `letters of ${first.scale * 14} px`);
  await picture(page, "figure-wide");

  step("the wheel scrolls the page, with Ctrl it zooms around the pointer");
  await scroll.scrollIntoViewIfNeeded();
  let at = await place(page, "n1");
  await page.mouse.move(at.x, at.y);
  const before = await look(page, "figure-1");
  await page.mouse.wheel(0, 60);
  await until("the page scrolled", async () => (await look(page, "figure-1")).page !== before.page);
  check((await look(page, "figure-1")).scale === before.scale, "no zoom");
  await page.mouse.wheel(0, -60);
  await until("the page is back", async () => (await look(page, "figure-1")).page === before.page);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -200);
  await page.keyboard.up("Control");
  await until("it zooms", async () => (await look(page, "figure-1")).scale > before.scale * 1.1);
  const after = await place(page, "n1");
  check(near(at.x, after.x) && near(at.y, after.y), `the box went from ${JSON.stringify(at)} to ${JSON.stringify(after)}`);
  check((await look(page, "figure-1")).high === before.high, "the page below stays in place");

  step("dragging pans and clicks nothing");
  const dragged = await look(page, "figure-1");
  await page.mouse.down();
  await page.mouse.move(at.x - 120, at.y - 10, { steps: 6 });
  await page.mouse.up();
  check(near((await look(page, "figure-1")).left, dragged.left + 120), "120 px further right");

  step("keys: + - 0 and the arrows; the wheel, where the figure has the focus");
  await scroll.focus();
  const keyed = await look(page, "figure-1");
  await page.keyboard.press("+");
  check((await look(page, "figure-1")).scale > keyed.scale * 1.2, "larger");
  await page.keyboard.press("-");
  check(near((await look(page, "figure-1")).scale, keyed.scale, 0.01), "as before");
  const left = (await look(page, "figure-1")).left;
  await page.keyboard.press("ArrowRight");
  await until("it pans", async () => (await look(page, "figure-1")).left > left);
  await page.mouse.wheel(0, -100);
  await until("it zooms", async () => (await look(page, "figure-1")).scale > keyed.scale * 1.05);
  await page.keyboard.press("0");
  check((await look(page, "figure-1")).wide === 0, "0 shows the whole drawing");

  step("buttons and double clicks");
  const whole = (await look(page, "figure-1")).scale;
  await wide.getByRole("button", { name: "Zoom in" }).click();
  check(near((await look(page, "figure-1")).scale, whole * 1.25, 0.01), "one step");
  await wide.getByRole("button", { name: "Zoom out" }).click();
  check(near((await look(page, "figure-1")).scale, whole, 0.01), "one step back");
  at = await place(page, "n3");
  await page.mouse.dblclick(at.x, at.y + 40);
  await until("a double click zooms", async () => (await look(page, "figure-1")).scale > whole * 1.4);
  await start().click();
  await start().click();
  check(near((await look(page, "figure-1")).scale, first.scale, 0.01), "fit, twice: as at first");

  step("full screen, and back");
  await wide.getByRole("button", { name: "Full screen" }).click();
  await until("it fills the window", async () => {
    const box = await wide.boundingBox();
    const size = await page.evaluate(() => [innerWidth, innerHeight]);
    return box.x === 0 && box.y === 0 && near(box.width, size[0]) && near(box.height, size[1]);
  });
  check((await look(page, "figure-1")).wide === 0, "the whole drawing is seen");
  await picture(page, "figure-full");
  await page.evaluate(() => document.exitFullscreen());
  await until("it is back", async () => !(await look(page, "figure-1")).full);
  check(near((await look(page, "figure-1")).scale, first.scale, 0.01), "as before");
  await scroll.focus();
  await page.keyboard.press("f");
  await until("a key does it, too", async () => (await look(page, "figure-1")).full);
  await page.keyboard.press("Escape");
  await until("Escape ends it", async () => !(await look(page, "figure-1")).full);

  step("copies: the source, and an SVG that needs no style sheet");
  await small.locator("summary").click();
  await small.getByRole("button", { name: "Copy Mermaid source" }).click();
  await until("it says so", async () => (await small.getByRole("status").innerText()) === "Source copied");
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  check((await clipboard()).replace(/\s+/g, " ").trim() === "flowchart LR A[Web app] -->|calls| B[(Orders)]", await clipboard());
  await small.getByRole("button", { name: "Copy as SVG" }).click();
  await until("it says so", async () => (await small.getByRole("status").innerText()) === "SVG copied");
  const svg = await clipboard();
  const faults = await page.evaluate((text) => {
    const copy = new DOMParser().parseFromString(text, "image/svg+xml");
    const found = [];
    if (copy.querySelector("parsererror")) found.push("no XML");
    if (copy.querySelector("[class], [style], [data-cell]")) found.push("attributes of the page");
    if (/var\(|color-mix|oklab|oklch/.test(text)) found.push("colours of the page");
    if (!/Web app/.test(copy.documentElement.textContent)) found.push("no label");
    if (![...copy.querySelectorAll("rect, path")].some((shape) => /^rgb/.test(shape.getAttribute("stroke") || ""))) found.push("no colours");
    return found;
  }, svg);
  check(faults.length === 0, `${faults}: ${svg.slice(0, 400)}`);

  step("a link to a box centres and marks it");
  await wide.locator("summary").click();
  const link = wide.getByRole("list", { name: "Links to the boxes" }).getByRole("link", { name: "Step 9" });
  check((await link.getAttribute("href")) === "#figure-1:n9", "its address");
  await link.focus();
  await page.keyboard.press("Enter");
  await until("it is in the middle", async () => {
    const [box, frame] = [await place(page, "n9"), await scroll.boundingBox()];
    return near(box.x, frame.x + frame.width / 2, 40);
  });
  check((await page.locator(".spot.found").getAttribute("id")) === "figure-1:n9", "it is marked");
  await page.goto("about:blank");
  await page.goto(`${url}#figure-1:n12`);
  await until("also in a fresh page", async () => {
    const [box, frame] = [await place(page, "n12"), await scroll.boundingBox()];
    return near(box.x, frame.x + frame.width / 2, 40) && near(box.y, 500, 400);
  });
  await picture(page, "figure-link");

  step("zoom, place and mark outlive a refresh of the page");
  await wide.getByRole("button", { name: "Zoom in" }).click();
  await scroll.evaluate((element) => element.scrollTo(300, 20));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const kept = await look(page, "figure-1");
  writeFileSync(file, readFileSync(file, "utf8").replace("TEXT BELOW", "Fresh words."));
  await page.getByText("Fresh words.").waitFor();
  await until("the view is the same", async () => {
    const now = await look(page, "figure-1");
    return near(now.scale, kept.scale, 0.001) && near(now.left, kept.left, 1) && near(now.top, kept.top, 1) && now.high === kept.high;
  });
  check((await page.locator(".spot.found").count()) === 1, "the mark");
  await wide.getByRole("button", { name: "Zoom out" }).click();
  check((await look(page, "figure-1")).scale < kept.scale, "the buttons still work");

  step("two fingers zoom");
  const touch = await open(url, { hasTouch: true, viewport: { width: 400, height: 800 } });
  await touch.locator("#figure-1 .scroll").scrollIntoViewIfNeeded();
  const narrow = await look(touch, "figure-1");
  const frame = await touch.locator("#figure-1 .scroll").boundingBox();
  const device = await touch.context().newCDPSession(touch);
  const [x, y] = [frame.x + frame.width / 2, frame.y + frame.height / 2];
  const fingers = (apart) => [{ x: x - apart, y, id: 1 }, { x: x + apart, y, id: 2 }];
  const send = (type, touchPoints) => device.send("Input.dispatchTouchEvent", { type, touchPoints });
  await send("touchStart", fingers(30));
  for (const apart of [40, 60, 80]) await send("touchMove", fingers(apart));
  await send("touchEnd", []);
  await until("larger", async () => (await look(touch, "figure-1")).scale > narrow.scale * 1.5);
  const excess = await touch.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(excess <= 0, `the page is ${excess} px too wide`);

  step("all script of the page weighs little");
  let bytes = 0;
  const names = await page.evaluate(() => [...document.scripts].filter((script) => script.src).map((script) => script.src));
  check(names.length > 0, "the page has scripts");
  for (const name of names) bytes += gzipSync(await (await page.request.get(name)).body()).length;
  console.log(`  ${bytes} bytes in ${names.length} scripts, compressed`);
  check(bytes < SCRIPT_BYTES, `${bytes} bytes`);
});
