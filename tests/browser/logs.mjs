// Logs that come: node logs.mjs URL, a server with some records; more are sent over OTLP from here.
import { check, step, until, withBrowser } from "./chromium.mjs";

const [url] = process.argv.slice(2);
let sent = 0;
const send = async (count, severity = 9) => {
  const logRecords = Array.from({ length: count }, () => ({
    timeUnixNano: `${Date.now()}000000`, severityNumber: severity, body: { stringValue: `tail ${++sent}` },
    attributes: [{ key: "http.route", value: { stringValue: "/tail" } }],
  }));
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] };
  const body = JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] });
  const answer = await fetch(`${url}/otlp/v1/logs`, { method: "POST", headers: { "content-type": "application/json" }, body });
  check(answer.ok, `the receiver says ${answer.status}`);
};

/** Where an element is as soon as it stays there: pages scroll smoothly. @param {import("playwright-core").Locator} element */
async function atRest(element) {
  let last = -1;
  let box;
  await until("the page is at rest", async () => {
    await new Promise((wake) => setTimeout(wake, 150));
    box = await element.boundingBox();
    const rests = box.y === last;
    last = box.y;
    return rests;
  });
  return box;
}

await withBrowser(async (_browser, open) => {
  step("values narrow the search, and again widen it");
  await send(60);
  const page = await open(`${url}/live/logs`);
  const all = await page.locator(".logs > li").count();
  await page.locator(".facets a", { hasText: "mail" }).first().click();
  await page.waitForURL("**service=mail**");
  check((await page.locator(".logs > li").count()) < all, "nothing was narrowed");
  await page.locator(".facets a[aria-current]").first().click();
  await page.waitForURL((address) => !address.search.includes("service="));
  await page.locator(".facets a", { hasText: "/tail" }).first().click();
  await page.waitForURL(/q=http\.route/);
  check((await page.locator(".logs > li").count()) === 60, `${await page.locator(".logs > li").count()} of 60`);

  step("new records come to the top");
  await page.goto(`${url}/live/logs`);
  await page.locator("[data-tail]").click();
  await page.waitForURL("**tail=1**");
  await send(1);
  await until("the record is there", async () => (await page.locator(".logs > li").first().innerText()).includes(`tail ${sent}`));

  step("whoever scrolled on keeps the place");
  await page.locator(".logs > li").nth(40).scrollIntoViewIfNeeded();
  const before = await page.locator(".logs > li").nth(40).boundingBox();
  const text = await page.locator(".logs > li").nth(40).innerText();
  await send(12);
  await until("the button says 12 new", async () => (await page.locator("[data-tail-new]").innerText()) === "12 new");
  const after = await page.locator(".logs > li", { hasText: text.split("\n").pop() }).first().boundingBox();
  check(Math.abs(after.y - before.y) < 1, `moved from ${before.y} to ${after.y}`);
  check(await page.locator("[data-tail-new]").isVisible(), "the button is out of sight");
  await page.locator("[data-tail-new]").click();
  check((await page.locator(".logs > li").first().innerText()).includes(`tail ${sent}`), "they are at the top");
  await until("the reader is at the top", async () => (await page.locator(".logs > li").first().boundingBox()).y > 0);
  await atRest(page.locator(".logs > li").first());

  step("whoever reads a record by keyboard keeps it");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  const open1 = page.locator(".logs details[open]");
  check((await open1.count()) === 1, "Enter opens the record");
  const place = await atRest(open1);
  await send(3);
  await until("3 wait", async () => (await page.locator("[data-tail-new]").innerText()) === "3 new");
  check(Math.abs((await open1.boundingBox()).y - place.y) < 1, "the record moved");

  step("paused, nothing comes");
  await page.keyboard.press("p");
  check((await page.locator("[data-tail]").getAttribute("aria-pressed")) === "false", "p pauses");
  await send(1);
  await page.waitForTimeout(1500);
  check((await page.locator("[data-tail-new]").innerText()) === "3 new", "it went on");
  await page.keyboard.press("p");
  await until("and what came meanwhile is told", async () => (await page.locator("[data-tail-new]").innerText()) === "4 new");

  step("a part of the time");
  await page.goto(`${url}/live/logs?from=now-3h`);
  const plot = await page.locator("[data-histogram]").boundingBox();
  await page.mouse.move(plot.x + plot.width * 0.9, plot.y + 20);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width - 1, plot.y + 20, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=\d{4}-.*to=\d{4}-/);
  check((await page.locator(".problem").count()) === 0, "the part cannot be searched");

  step("local time and back");
  const there = await open(`${url}/live/logs`, { timezoneId: "Asia/Kolkata" });
  const time = there.locator(".logs [data-ms]").first();
  const utc = await time.innerText();
  await there.locator("[data-zone]").click();
  const minutes = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
  const shift = (minutes(await time.innerText()) - minutes(utc) + 1440) % 1440;
  check(shift === 330 && (await time.innerText()).slice(6) === utc.slice(6), `${utc} became ${await time.innerText()}`);
  await there.locator("[data-zone]").click();
  check((await time.innerText()) === utc, "UTC is not back");

  step("to the span and back");
  await page.goto(`${url}/live/logs?q=order+begins`);
  await page.locator(".logs summary").first().click();
  await page.locator(".logs .whole a").first().click();
  await page.waitForURL(/live\/traces\/\w+\?span=\w+#span-/);
  const row = page.locator("li.asked");
  check((await row.innerText()).includes("order 7 begins"), "the span shows its log");
  await row.locator("a", { hasText: "its logs" }).first().click();
  await page.waitForURL(/live\/logs\?trace=\w+&span=\w+/);
  check((await page.locator(".logs > li").count()) === 1, "its one record");
  for (const width of [360, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    await page.goto(`${url}/live/logs`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= width, `${wide} wide at ${width}`);
  }
});
