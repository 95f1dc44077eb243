// Traces by keyboard and pointer: node traces.mjs URL ORDER LONG SKEWED LATE, ids of a trace with a fold and two errors, of one
// of 5,200 spans, of one whose clocks disagree, and of one that is to come.
import { check, step, until, withBrowser } from "./chromium.mjs";

const [url, order, long, skewed, late] = process.argv.slice(2);
const focused = (page) => page.evaluate(() => document.activeElement?.closest("[data-row]")?.id ?? "");
const shown = (page) => page.evaluate(() => [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility()).length);

await withBrowser(async (_browser, open) => {
  step("a waterfall by keyboard alone");
  const page = await open(`${url}/live/traces/${order}`);
  check((await shown(page)) === 4, `${await shown(page)} lines: the root, a fold, an error and what is below it`);
  await page.keyboard.press("j");
  check((await focused(page)) === "span-0000000000000001", "j goes to the first line");
  await page.keyboard.press("j");
  check((await focused(page)).startsWith("fold-"), "j goes on to the fold");
  await page.keyboard.press("ArrowRight");
  check((await shown(page)) === 16, "the fold opens");
  await page.keyboard.press("j");
  check((await focused(page)) === "span-00000000000000a0", "j goes into the fold");
  await page.keyboard.press("k");
  await page.keyboard.press("ArrowLeft");
  check((await shown(page)) === 4, "the fold closes");
  await page.keyboard.press("e");
  check((await focused(page)) === "span-00000000000000f1", "e goes to the next error");
  await page.keyboard.press("e");
  check((await focused(page)) === "span-00000000000000f2", "and to the one after it");
  await page.keyboard.press("Shift+E");
  check((await focused(page)) === "span-00000000000000f1", "E goes back");
  await page.keyboard.press("c");
  check((await shown(page)) === 3, "c closes what is below");
  await page.keyboard.press("c");
  await page.keyboard.press("Enter");
  check(await page.locator("#span-00000000000000f1 .details").first().isVisible(), "Enter opens the details");
  check(await page.locator("#span-00000000000000f1 .explained").first().isVisible(), "they lead to the book");
  await page.keyboard.press("j");
  await page.keyboard.press("ArrowLeft");
  check((await focused(page)) === "span-00000000000000f1", "left from a leaf goes to its parent");

  step("keys are left to fields and to modifiers");
  await page.locator(".find input[type=search]").focus();
  await page.keyboard.type("je");
  check((await page.locator(".find input[type=search]").inputValue()) === "je", "letters are typed");
  await page.locator(".find input[type=search]").fill("select");
  await page.keyboard.press("Enter");
  await page.waitForURL("**find=select**");
  await page.keyboard.press("n");
  check((await focused(page)) === "span-00000000000000a0", "n goes to what was found, in its fold");
  check(/^1 of 12 /.test(await page.locator("[data-found]").innerText()), await page.locator("[data-found]").innerText());
  await page.keyboard.press("n");
  check((await focused(page)) === "span-00000000000000a1", "n goes on");
  await page.keyboard.press("?");
  check(await page.locator("#keys").getByText("Next error").isVisible(), "? shows the keys");
  await page.keyboard.press("Escape");

  step("a part of the time");
  await page.goto(`${url}/live/traces/${order}`);
  const map = await page.locator("[data-minimap]").boundingBox();
  await page.mouse.move(map.x + map.width * 0.5, map.y + 20);
  await page.mouse.down();
  await page.mouse.move(map.x + map.width * 0.7, map.y + 20, { steps: 5 });
  await page.mouse.up();
  await until("the address says so", () => /zoom=(49|50)\.\d+-(69|70)\./.test(page.url()));
  await until("the page shows it", async () => (await page.locator("[data-whole]").count()) === 1);
  await page.mouse.move(map.x + map.width * 0.6, map.y + 20);
  await page.mouse.down();
  await page.mouse.move(map.x + map.width * 0.7, map.y + 20, { steps: 5 });
  await page.mouse.up();
  await until("the window is moved", () => /zoom=(59|60)\.\d+-(79|80)\./.test(page.url()));
  await page.keyboard.press("Shift+Z");
  await until("Z shows all of it again", async () => !/zoom=/.test(page.url()) && (await page.locator("[data-whole]").count()) === 0);
  await page.keyboard.press("e");
  await page.keyboard.press("z");
  await until("z shows the span's time", () => /zoom=/.test(page.url()));

  step("an address opens its span");
  await page.goto(`${url}/live/traces/${order}#span-00000000000000a5`);
  await until("its fold is open", async () => page.locator("#span-00000000000000a5 .details").first().isVisible());

  step("clocks");
  await page.goto(`${url}/live/traces/${skewed}`);
  await page.locator("[data-clocks]").click();
  await page.waitForURL("**clocks=set**");
  check((await page.locator(".notice").first().innerText()).includes("no measured times"), "set clocks are no measurement");

  step("a trace of 5,200 spans");
  await page.goto(`${url}/live/traces/${long}`);
  check((await shown(page)) === 1000, "a thousand lines at a time");
  for (let press = 0; press < 3; press++) await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await until("details are fetched", async () => page.locator("#span-0000000000000003 .facts").isVisible());
  await page.locator(".part a[rel=next]").first().click();
  await page.waitForURL("**line=1001**");
  check(await page.locator("#span-00000000000003e9").isVisible(), "the next lines");

  step("an area of the plot narrows the search");
  await page.goto(`${url}/live/traces`);
  const place = async () => JSON.stringify(await page.locator(`[data-scatter] a[href$="${order}"] .near`).boundingBox());
  await until("the plot stands still", async () => {
    const before = await place();
    await page.waitForTimeout(400);
    return before === (await place());
  });
  const plot = await page.locator("[data-scatter]").boundingBox();
  const mark = await page.locator(`[data-scatter] a[href$="${order}"] .near`).boundingBox();
  const [x, y] = [mark.x + mark.width / 2, mark.y + mark.height / 2];
  await page.mouse.move(Math.max(plot.x, x - 25), Math.max(plot.y, y - 25));
  await page.mouse.down();
  await page.mouse.move(x + 25, y + 25, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=.*to=.*min=.*max=/);
  check((await page.locator("tr[data-row]").count()) === 1, `${await page.locator("tr[data-row]").count()} traces in ${page.url()}`);
  check((await page.locator("tr[data-row] a").first().getAttribute("href")).endsWith(order), "another trace than the marked one");
  await page.goto(`${url}/live/traces`);
  await page.locator("[data-scatter] a[tabindex='0']").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/live/traces/*");

  step("a trace that still arrives grows by itself");
  const send = async (spanId, parentSpanId, name) => {
    const now = `${Date.now()}000000`;
    const span = { traceId: late, spanId, parentSpanId, name, kind: 2, startTimeUnixNano: now, endTimeUnixNano: now };
    const resource = { attributes: [{ key: "service.name", value: { stringValue: "orders" } }] };
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
    const answer = await fetch(`${url}/otlp/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body });
    check(answer.ok, `the receiver says ${answer.status}`);
  };
  await send("00000000000000c2", "00000000000000c1", "child");
  await page.goto(`${url}/live/traces/${late}`);
  check(await page.locator("[data-arriving]").isVisible(), "it is not said to be young");
  check((await page.getByText("parent missing").count()) === 1, "its parent is not said to be missing");
  await page.locator("#span-00000000000000c2 summary").first().click();
  await send("00000000000000c1", "", "the parent");
  await until("the parent is there", async () => (await page.locator("#span-00000000000000c1").count()) === 1);
  check((await page.getByText("parent missing").count()) === 0, "it is said to be missing still");
  check(await page.locator("#span-00000000000000c2 .details").first().isVisible(), "what was open was closed");

  step("without script");
  const plain = await open(`${url}/live/traces/${order}?span=00000000000000f1#span-00000000000000f1`, { javaScriptEnabled: false });
  check(await plain.locator("#span-00000000000000f1 .details").first().isVisible(), "the span is open");
  check(await plain.getByText("12 ×").isVisible(), "the fold is there");
  for (const width of [360, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    for (const path of ["/live/traces", `/live/traces/${order}`]) {
      await page.goto(url + path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      check(wide <= width, `${path} is ${wide} wide at ${width}`);
    }
  }
});
