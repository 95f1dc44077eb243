// A call that no line draws happens in CloudScale: node drift.mjs URL GATEWAY FILE
// FILE is the page's Markdown, whose diagram leaves out that the gateway asks payments; it is mended here.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { cell, check, picture, state, step, until, withBrowser } from "./chromium.mjs";

const [url, gateway, file] = process.argv.slice(2);

/** An answer's body; `borne` are statuses that are no success and none of a mistake either. */
async function ask(method, path, body, token, key, borne = []) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  const answer = await fetch(gateway + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  check(answer.ok || borne.includes(answer.status), `${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

await withBrowser(async (_browser, open) => {
  const person = { email: `drift-${Date.now()}@example.com`, password: "correct horse battery staple" };
  await ask("POST", "/v1/register", person);
  const token = (await ask("POST", "/v1/login", person)).access_token;
  const basket = { lines: [{ sku: "tea", quantity: 1, unit_price_minor: 450 }], currency: "EUR" };
  // Now and then the bank declines (402) or the carrier is full (409): what is drawn happens even so.
  const place = () => ask("POST", "/v1/orders", basket, token, crypto.randomUUID(), [402, 409]);

  step("what is drawn happens, and nothing else");
  const page = await open(url);
  let payment;
  for (let n = 0; n < 6; n++) payment = (await place()).payment ?? payment;
  check(payment, "an order was paid");
  await until("both lines are confirmed", async () => /2 of 2/.test(await cell(page, "d0.confirmed").innerText()));
  check((await state(page, "d0.note")) !== "undocumented", "nothing undocumented yet");
  check(/^none/i.test(await cell(page, "d0.seen").innerText()), await cell(page, "d0.seen").innerText());

  step("the gateway asks payments, which no line draws");
  for (let n = 0; n < 4; n++) await ask("GET", `/v1/payments/${payment}`, undefined, token);
  await until("the figure says so by itself", async () => /gateway.*payments/i.test(await cell(page, "d0.seen").innerText()));
  await picture(page, "drift-figure");

  step("from the figure to the evidence");
  await page.locator("#figure-0 .note a").click();
  await page.waitForURL(/\/live\/drift/);
  const row = page.getByRole("row").filter({ hasText: /gateway → payments/i });
  check(/not drawn/i.test(await row.innerText()), await row.innerText());
  const mend = (await page.locator("pre.mend").innerText()).trim();
  check(/^gateway --> payments$/m.test(mend), `the line that mends it: ${mend}`);
  await picture(page, "drift-evidence", { fullPage: true });
  await row.getByRole("link", { name: "example" }).click();
  await page.waitForURL(/\/live\/traces\//);
  const trace = await page.locator("main").innerText();
  check(/gateway/.test(trace) && /payments/.test(trace), "the example trace shows both");

  step("the author adds the line, and the figure is whole again");
  await page.goto(url);
  const text = readFileSync(file, "utf8").replace("gateway --> orders\n", `gateway --> orders\n    ${mend.split("\n").find((line) => line.startsWith("gateway --> payments"))}\n`);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
  await until("three of three", async () => /3 of 3/.test(await cell(page, "d0.confirmed").innerText()));
  await until("nothing is missing any more", async () => /^none/i.test(await cell(page, "d0.seen").innerText()));
});
