// A service dies and comes back while the page is open: node crash.mjs URL PID
// Kills the process PID, which the caller started, and watches the page.
import { check, picture, state, step, until, withBrowser } from "./chromium.mjs";

const [url, pid] = process.argv.slice(2);
const SEEN_WITHIN = 3_000;

await withBrowser(async (_browser, open) => {
  const page = await open(url);
  const node = await page
    .locator('figure [data-cell^="d0.n."]')
    .evaluateAll((all) => all.map((one) => one.dataset.cell).find((key) => /^d0\.n\.payments$/.test(key)));
  check(node, "the node of payments carries live values");
  const looks = { node, strip: "sec.placing-an-order.health", service: "svc.payments.health" };

  step("all is well first");
  for (const [what, key] of Object.entries(looks)) {
    await until(`${what} is healthy`, async () => (await state(page, key)) === "healthy");
  }
  await page.evaluate(() => { window.stayed = true; });

  step("payments is killed");
  const killed = Date.now();
  process.kill(Number(pid), "SIGKILL");
  for (const [what, key] of Object.entries(looks)) {
    await until(`${what} changes`, async () => (await state(page, key)) !== "healthy", SEEN_WITHIN - (Date.now() - killed));
    console.log(`  ${what} after ${Date.now() - killed} ms: ${await state(page, key)}`);
  }
  await picture(page, "payments-down");

  step("it comes back, and the page shows it without a reload");
  for (const [what, key] of Object.entries(looks)) {
    await until(`${what} recovers`, async () => (await state(page, key)) === "healthy", 60_000);
    console.log(`  ${what} after ${Date.now() - killed} ms`);
  }
  check(await page.evaluate(() => window.stayed === true), "the page was not reloaded");
});
