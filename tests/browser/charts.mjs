// What readers do with charts: node charts.mjs URL
import { check, picture, step, until, withBrowser } from "./chromium.mjs";

const url = process.argv[2].replace(/\/$/, "");

await withBrowser(async (_browser, open) => {
  const page = await open(`${url}/live/services/shop`);
  const plots = page.locator("figure.plot");
  const area = (nth) => plots.nth(nth).locator(".plot-area");
  const spans = () => plots.evaluateAll((all) => all.map((one) => one.dataset.state.split(" ").slice(0, 2).join(" ")));
  const ends = () => {
    const typed = new URL(page.url()).searchParams;
    return ["from", "to"].map((name) => Date.parse(typed.get(name))).join(" ");
  };
  /** A place on a chart, in parts of its width. */
  const at = async (nth, part) => {
    const box = await area(nth).boundingBox();
    return [box.x + box.width * part, box.y + box.height / 2];
  };
  await until("lines are drawn", async () => (await plots.first().locator("path.line").count()) === 3);

  step("the crosshair is in step, and the tooltip is sorted");
  await page.mouse.move(...(await at(0, 0.7)));
  const tip = plots.first().locator(".tip");
  await tip.waitFor();
  const rates = await tip.locator("li b").allInnerTexts();
  check(rates.length === 3, `three lines, not ${rates}`);
  const numbers = rates.map((text) => parseFloat(text));
  check(numbers.every((value, nth) => nth === 0 || value <= numbers[nth - 1]), `sorted: ${rates}`);
  check((await tip.locator("li .name").first().innerText()).includes("/a"), "the busiest comes first");
  await until("it is on all charts", async () => (await page.locator(".crosshair").count()) === (await plots.count()));
  check((await page.locator(".tip").count()) === 1, "one tooltip");
  const places = await page.locator(".crosshair").evaluateAll((all) => all.map((one) => Math.round(parseFloat(one.style.left))));
  check(Math.max(...places) - Math.min(...places) <= 1, `in step: ${places}`);

  step("zoom one, and the others follow, and the address");
  const before = await spans();
  await page.mouse.move(...(await at(0, 0.5)));
  await page.mouse.down();
  await page.mouse.move(...(await at(0, 0.8)), { steps: 4 });
  await page.mouse.up();
  await page.waitForURL("**from=**to=**");
  await until("all charts show it", async () => (await spans()).every((one) => one === ends()));
  check((await spans())[0] !== before[0], "another time");
  await picture(page, "charts-zoomed");

  step("the double click leads back");
  await page.mouse.dblclick(...(await at(1, 0.2)));
  await until("the address is as before", async () => !page.url().includes("to="));
  await until("the charts move on", async () => (await spans()).every((one) => Number(one.split(" ")[1]) - Number(one.split(" ")[0]) === Number(before[0].split(" ")[1]) - Number(before[0].split(" ")[0])));

  step("the browser's way back and forth, too");
  await page.goForward();
  await until("zoomed again", async () => (await spans()).every((one) => one === ends()));
  await page.goBack();
  await until("and back", async () => !page.url().includes("to="));

  step("a time before all measurements is said to be one");
  await page.evaluate(() => {
    const url = new URL(location.href);
    url.search = "?from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z";
    history.pushState({}, "", url);
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await page.getByRole("heading", { name: /nothing|before|measured|kept/i }).first().waitFor();
  await page.goto(`${url}/live/services/shop`);
  await until("lines are drawn again", async () => (await plots.first().locator("path.line").count()) === 3);

  step("the legend isolates, adds and restores");
  const entries = plots.first().locator(".legend button");
  const shown = () => plots.first().locator("path.line:not(.off)").count();
  await entries.nth(1).click();
  check((await shown()) === 1, "one line");
  await entries.nth(2).click({ modifiers: ["Shift"] });
  check((await shown()) === 2, "one more");
  await entries.nth(2).click({ modifiers: ["Shift"] });
  await entries.nth(1).click();
  check((await shown()) === 3, "all");
  await entries.nth(0).focus();
  await page.keyboard.press("Enter");
  check((await shown()) === 1 && (await entries.nth(0).getAttribute("aria-pressed")) === "true", "by keyboard");
  await page.keyboard.press("Enter");

  step("all by keyboard: the crosshair, its words, zoom and back");
  await area(0).focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await tip.waitFor();
  const early = await tip.locator("p").first().innerText();
  await page.keyboard.press("Shift+ArrowRight");
  await until("it went on", async () => (await tip.locator("p").first().innerText()) !== early);
  await until("it is spoken", async () => (await page.locator("#say").innerText()).includes("/a"));
  await page.keyboard.press("+");
  await page.waitForURL("**from=**to=**");
  await until("all charts show it", async () => (await spans()).every((one) => one === ends()));
  await until("the focus stays", async () => area(0).evaluate((one) => one === document.activeElement));
  await page.keyboard.press("Escape");
  await until("back", async () => !page.url().includes("to="));

  step("the table has a row for each step");
  await plots.first().locator(".plot-table summary").click();
  await until("it has", async () => (await plots.first().locator(".plot-table tbody tr").count()) > 50);
  const csv = await plots.first().locator(".plot-links a").first().getAttribute("href");
  const lines = (await (await page.request.get(new URL(csv, page.url()).href)).text()).trim().split("\n");
  check(lines.length > 50 && lines[0].startsWith("time,"), lines[0]);

  step("Enter opens the exemplar");
  const trace = plots.nth(2).locator("a.exemplar[href]");
  await trace.first().waitFor({ state: "attached" });
  const percent = parseFloat(await trace.first().evaluate((one) => one.style.getPropertyValue("--x")));
  await area(2).focus();
  await page.mouse.move(...(await at(2, percent / 100)));
  await until("it is near", async () => (await plots.nth(2).locator("a.exemplar.near").count()) === 1);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/live/traces/*");

  step("in the book, too");
  await page.goto(url);
  await until("both are drawn", async () => (await page.locator("figure.plot").count()) === 2);
  await page.mouse.move(...(await at(0, 0.4)));
  await page.mouse.down();
  await page.mouse.move(...(await at(0, 0.6)), { steps: 4 });
  await page.mouse.up();
  await page.waitForURL("**from=**to=**");
  await until("both charts show it", async () => (await spans()).every((one) => one === ends()));
  await page.goBack();
  await until("back", async () => !page.url().includes("to=") && new Set(await spans()).size === 2);
});
