// What lives above diagrams: node overlay.mjs URL
// The book is that of `diagrams.rs`: a page of services with every state, one of other kinds, one that is broken.
import { cell, check, picture, step, until, withBrowser } from "./chromium.mjs";
import { feed } from "./traffic.mjs";

const [url] = process.argv.slice(2);
/** Each second; what comes once only is idle as soon as the window has passed. */
const CALLS = [
  { from: "gateway", to: "orders", count: 40, ms: 20 },
  { from: "gateway", to: "payments", count: 6, ms: 400, errors: 0.7 },
  { from: "orders", to: "db:orders_db", count: 40, ms: 3 },
  { from: "orders", to: "queue:order-events", count: 20, ms: 2 },
];
const ONCE = [{ from: "gateway", to: "shipping", count: 30, ms: 9 }];
/** Of what all boxes and pills are, before and after values change. */
const places = (/** @type {import("playwright-core").Page} */ page) =>
  page.evaluate(() => JSON.stringify([...document.querySelectorAll("#figure-0 .overlay :is(rect, .ring, .line)")].map((one) => {
    const { x, y, width, height } = /** @type {SVGGraphicsElement} */ (one).getBBox();
    return [x, y, width, height].map(Math.round);
  })));
/** The edge whose label for readers begins so. */
const line = (/** @type {import("playwright-core").Page} */ page, /** @type {string} */ words) => page.locator(`#figure-0 .overlay .edge-live[aria-label^="${words}"]`);
const dashes = (/** @type {import("playwright-core").Page} */ page) =>
  page.evaluate(() => [...document.querySelectorAll("#figure-0 .wire")].map((one) => {
    const flow = getComputedStyle(/** @type {Element} */ (one.querySelector(".flow")));
    return { state: /** @type {HTMLElement} */ (one).dataset.state, shown: flow.display !== "none", moves: flow.display !== "none" && flow.animationName !== "none", weight: getComputedStyle(/** @type {Element} */ (one.querySelector(".line"))).strokeWidth };
  }));

await withBrowser(async (_browser, open) => {
  step("before the first trace nothing is claimed");
  const page = await open(url);
  check(/no traces yet/.test(await cell(page, "d0.confirmed").innerText()), await cell(page, "d0.confirmed").innerText());

  await feed(url, [...CALLS, ...ONCE]);
  const timer = setInterval(() => feed(url, CALLS), 1000);
  try {
    step("every state of a line has its own words and look");
    await until("the line that ran once is idle", async () => (await line(page, "Gateway to Shipping").getAttribute("data-state")) === "idle", 60_000);
    const states = {};
    for (const name of ["Gateway to Orders", "Gateway to Payments", "Gateway to Shipping", "Orders to Payments"]) {
      const one = line(page, name);
      states[name] = `${await one.getAttribute("data-state")}: ${(await one.locator("text.rate").textContent())?.replace(/[\d.]+/, "N")}`;
    }
    check(JSON.stringify(Object.values(states)) === JSON.stringify(["healthy: N/s", "down: N/s", "idle: idle", "never-seen: not seen"]), JSON.stringify(states));
    check(/does not mean absent/.test((await line(page, "Orders to Payments").getAttribute("aria-label")) ?? ""), "unseen is not absent");
    check(/last at \d/.test((await line(page, "Gateway to Shipping").getAttribute("aria-label")) ?? ""), "idle says since when");
    const box = (/** @type {string} */ id) => page.locator(`#figure-0 .overlay .node-live[data-cell="d0.n.${id}"]`);
    for (const [id, wanted] of [["O", "healthy"], ["P", "down"], ["D", "healthy"], ["Q", "healthy"], ["X", "no-data"]]) {
      check((await box(id).getAttribute("data-state")) === wanted, `${id} is ${await box(id).getAttribute("data-state")}`);
    }
    check((await box("X").locator("text.rate").textContent()) === "no data", "words of no data");
    const shapes = await page.evaluate(() => [...document.querySelectorAll("#figure-0 .node-live")].map((one) => [...one.querySelectorAll(".shape")].filter((shape) => getComputedStyle(shape).display !== "none").map((shape) => shape.getAttribute("class")).join()));
    check(shapes.every((shape) => /^shape (healthy|degraded|down|no-data)$/.test(shape)), `one shape each: ${shapes}`);
    await picture(page, "overlay-states");

    step("lines are as heavy as their rate, and move only where something flows");
    const wires = await dashes(page);
    check(wires.every((wire) => wire.shown === (wire.state !== "none") && wire.moves === wire.shown), JSON.stringify(wires));
    check(wires.filter((wire) => !wire.shown).length === 2, JSON.stringify(wires));
    const weight = (/** @type {string} */ state) => parseFloat(wires.find((wire) => wire.state === state)?.weight ?? "0");
    check(weight("tens") > weight("ones") && weight("ones") > 0, JSON.stringify(wires));
    const calm = await open(url, { reducedMotion: "reduce" });
    check((await dashes(calm)).every((wire) => !wire.shown), "no dashes under reduced motion");
    await calm.context().close();

    step("the figure bar chooses rate, p95 or errors");
    const shown = () => page.evaluate(() => [...document.querySelectorAll("#figure-0 .overlay .edge-live text")].filter((text) => getComputedStyle(text).display !== "none").map((text) => text.getAttribute("class")));
    const before = await places(page);
    for (const [name, words] of [["p95", /ms$/], ["errors", /%$/], ["rate", /\/s$/]]) {
      await page.locator("#figure-0").getByRole("radio", { name: /** @type {string} */ (name) }).check({ force: true });
      check((await shown()).every((one) => one === name), `${name}: ${await shown()}`);
      const text = await line(page, "Gateway to Payments").locator(`text.${name}`).textContent();
      check(/** @type {RegExp} */ (words).test(text ?? ""), `${name}: ${text}`);
    }

    step("values change, and nothing moves");
    const rate = await line(page, "Gateway to Orders").locator("text.rate").textContent();
    CALLS[0].count = 90;
    await until("another rate", async () => (await line(page, "Gateway to Orders").locator("text.rate").textContent()) !== rate);
    check((await places(page)) === before, "each box and pill is where it was");

    step("a box leads to its service, a line to the traces that crossed it");
    check(/live\/services\/orders$/.test((await box("O").getAttribute("href")) ?? ""), "its address");
    await line(page, "Gateway to Payments").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/live\/traces\?service=gateway&calls=payments/);
    const rows = page.locator("main tbody tr");
    check((await rows.count()) > 3, `${await rows.count()} traces`);
    for (const text of await rows.allInnerTexts()) check(!/\b1 service\b/.test(text), text);
    await rows.first().getByRole("link").first().click();
    await page.waitForURL(/live\/traces\/[0-9a-f]{32}/);
    check(/gateway/.test(await page.locator("main").innerText()) && /payments/.test(await page.locator("main").innerText()), "both are in it");
    await page.goto(`${url}live/traces?service=orders&calls=orders_db`);
    check((await rows.count()) > 3, "also of a database");

    step("a drawing says what it shows, in words");
    await page.goto(url);
    const svg = page.locator("#figure-0 svg.mermaid");
    const named = await svg.evaluate((one) => ["aria-labelledby"].flatMap((name) => (one.getAttribute(name) ?? "").split(" ")).map((id) => document.getElementById(id)?.textContent));
    check(named[0] === "Shop" && /Gateway/.test(named[1] ?? "") && /Gateway to Orders|Gateway → Orders|Gateway.*Orders/.test(named[1] ?? ""), JSON.stringify(named));
    check((await svg.getAttribute("role")) === "img", "its role");

    step("participants, states, classes and entities are bound");
    await page.goto(`${url}kinds.html`);
    for (const [nth, ids] of [["gateway", "orders"], ["gateway", "orders"], ["Gateway", "Till"], ["gateway", "orders"]].entries()) {
      for (const id of ids) {
        const one = page.locator(`#figure-${nth} .overlay .node-live[data-cell="d${nth}.n.${id}"]`);
        await until(`${id} of figure ${nth}`, async () => (await one.count()) === 1 && /healthy|degraded/.test((await one.getAttribute("data-state")) ?? ""));
      }
    }
    const message = page.locator("#figure-0 .overlay .edge-live[aria-label]").first();
    check((await message.getAttribute("data-state")) === "healthy", `the message is ${await message.getAttribute("data-state")}`);
    await picture(page, "overlay-kinds", { fullPage: true });

    step("what cannot be read is shown with the message at its line");
    await page.goto(`${url}broken.html`);
    const broken = page.locator("section.broken");
    const words = await broken.innerText();
    check(/broken\.md:7/.test(words) && /Unterminated|cannot be parsed/.test(words), words);
    check((await broken.locator("mark").count()) > 0, "the place is marked");
    check(/A\[Web app --> B/.test(await broken.locator(".source").innerText()), "its source");
    check(await page.getByText("TEXT BELOW").isVisible(), "the page goes on");
    await picture(page, "overlay-broken");
  } finally {
    clearInterval(timer);
  }
});
