// The reader's walk through a running CloudScale: node walk.mjs URL
import { cell, check, picture, state, step, until, withBrowser } from "./chromium.mjs";

const url = process.argv[2].replace(/\/$/, "");

/** The computed colour of the page's background. */
const background = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

await withBrowser(async (_browser, open) => {
  const page = await open(url);

  step("the hero");
  const hero = page.locator("main h1").first();
  check((await hero.innerText()) === "CloudScale Architecture", "the hero's title");
  check(await page.getByRole("link", { name: "Explore the architecture" }).isVisible(), "its button");

  step("the theme's colours, light and dark");
  await page.evaluate(() => { document.documentElement.dataset.mode = "light"; });
  check((await background(page)) === "rgb(240, 253, 244)", `light: ${await background(page)}`);
  await picture(page, "book-light");
  await page.evaluate(() => { document.documentElement.dataset.mode = "dark"; });
  check((await background(page)) === "rgb(6, 78, 59)", `dark: ${await background(page)}`);
  await picture(page, "book-dark");
  await page.evaluate(() => { document.documentElement.dataset.mode = "light"; });

  step("the reader's own switch, kept over a reload");
  const shown = () => page.evaluate(() => document.documentElement.dataset.mode);
  const first = await shown();
  await page.locator("#mode").click();
  const chosen = await shown();
  check(chosen !== first, `still ${first}`);
  await page.reload();
  check((await shown()) === chosen, "the choice is kept");
  await page.evaluate(() => localStorage.clear());
  await page.reload();

  step("every section of the navigation");
  for (const id of ["system-overview", "microservices", "service-communication", "placing-an-order", "signing-in", "performance", "glossary"]) {
    check((await page.locator(`nav a[href$="#${id}"]`).count()) > 0, `${id} in the navigation`);
    check(await page.locator(`main #${id}`).count() === 1, `${id} on the page`);
  }

  step("at least 4 services are up");
  for (const service of ["gateway", "auth", "orders", "payments"]) {
    await until(`${service} is healthy`, async () => (await state(page, `svc.${service}.health`)) === "healthy");
  }

  step("a KPI changes between two looks");
  const kpi = cell(page, "kpi.response-time.value");
  const value = await until("it has a number", async () => {
    const text = await kpi.innerText();
    return /^[\d.,]+$/.test(text) && text;
  });
  await until("it changes", async () => (await kpi.innerText()) !== value);

  step("an edge carries a rate");
  const edge = page.locator('figure [data-cell^="d0.e."][data-cell$=".rate"]').filter({ hasText: /\d.*\/s/ }).first();
  await until("a rate is at an edge", async () => (await edge.count()) > 0);

  step("the switch of the figure works");
  const figure = page.locator("figure.diagram").first();
  await figure.getByText("p95", { exact: true }).first().click();
  const p95 = figure.locator('[data-cell^="d0.e."][data-cell$=".p95"]').filter({ hasText: /ms|s/ }).first();
  await until("p95 is shown at an edge", async () => p95.isVisible());

  step("from a node to its service");
  await figure.locator('a[href$="/live/services/orders"]').first().click();
  await page.waitForURL("**/live/services/orders");
  check((await page.locator("main h1").first().innerText()).toLowerCase().includes("order"), "the service's page");
  await picture(page, "service-light", { fullPage: true });

  step("the range of its charts changes, and stays live");
  await page.getByRole("navigation", { name: "Range" }).getByRole("link", { name: "5 m", exact: true }).click();
  await page.waitForURL("**from=now-5m");
  await until("three charts over 5 minutes", async () => (await page.locator('main .plot-area[aria-label*="over the last 5 min"]').count()) >= 3);
  const line = page.locator("main .plot path.line").first();
  const drawn = await line.getAttribute("d");
  await until("the chart moves on", async () => (await line.getAttribute("d")) !== drawn);

  step("an exemplar of the durations leads to the trace that was counted");
  const exemplar = page.locator("main .plot a.exemplar[href]").first();
  await until("there is one", async () => (await exemplar.count()) > 0);
  const counted = (await exemplar.getAttribute("href")).split("/").pop();
  await until("its trace has arrived", async () => (await page.request.get(`${url}/api/live/traces/${counted}`)).ok());
  const trace = await (await page.request.get(`${url}/api/live/traces/${counted}`)).text();
  check(trace.includes('"orders"'), "the trace goes through the service");

  step("from there to a trace over at least 3 services");
  const place = await until("a trace over 3 services is listed", async () => {
    const counts = await page.locator("main table:has(a[href*='/live/traces/']) tbody tr").evaluateAll((rows) => rows.map((row) => row.querySelectorAll("td.shares .of").length));
    const at = counts.findIndex((count) => count >= 3);
    if (at >= 0) return { at };
    await page.reload();
    return undefined;
  });
  await page.locator("main table:has(a[href*='/live/traces/']) tbody tr").nth(place.at).locator("a[href*='/live/traces/']").first().click();
  await page.waitForURL("**/live/traces/*");
  const services = await page.locator(".waterfall li .name b").evaluateAll((all) => [...new Set(all.map((one) => one.textContent))]);
  check(services.length >= 3, `spans of ${services}`);
  await picture(page, "trace-light", { fullPage: true });

  step("an edge leads to its traces");
  await page.goto(url);
  check((await page.locator('figure.diagram a[href*="/live/traces"], figure.diagram a[href*="/live/services"]').count()) > 3, "links in the drawing");

  step("narrow: nothing sticks out");
  await page.setViewportSize({ width: 390, height: 844 });
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(excess <= 0, `the page is ${excess} px too wide`);
  await picture(page, "book-mobile");
});
