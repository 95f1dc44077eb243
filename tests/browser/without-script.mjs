// With JavaScript off the page reads well and shows the server's figures: node without-script.mjs URL
import { cell, check, picture, step, until, withBrowser } from "./chromium.mjs";

const url = process.argv[2];

await withBrowser(async (_browser, open) => {
  const page = await open(url, { javaScriptEnabled: false });

  step("text, navigation and theme are there");
  check(await page.getByRole("heading", { level: 1 }).first().isVisible(), "the title");
  check(await page.locator('nav a[href$="#microservices"]').first().isVisible(), "the navigation");

  step("the server's figures are there");
  await until("a KPI has a number", async () => {
    if (/^[\d.,]+$/.test(await cell(page, "kpi.response-time.value").innerText())) return true;
    await page.reload();
    return false;
  });
  check(/\d/.test(await cell(page, "svc.gateway.rate").innerText()), "the gateway's rate");
  check((await page.locator('[data-cell^="d0.e."][data-cell$=".rate"]').filter({ hasText: /\/s/ }).count()) > 0, "a rate at an edge");

  step("the figure's switch works");
  const figure = page.locator("figure.diagram").first();
  await figure.getByText("errors", { exact: true }).first().click();
  const errors = figure.locator('[data-cell^="d0.e."][data-cell$=".errors"]').first();
  check(await errors.isVisible(), "errors are shown at an edge");

  step("what needs a script is not offered");
  check(!(await page.locator("#mode").isVisible()), "the switch of the mode");
  await picture(page, "book-without-script", { fullPage: true });
});
