// A reader goes through a book: node navigate.mjs URL
// The book is that of `tests/doors/navigation.rs`.
import { check, picture, step, until, withBrowser } from "./chromium.mjs";

const url = process.argv[2].replace(/\/$/, "");

/** What has the focus, as `tag text`. */
const focus = (page) => page.evaluate(() => `${document.activeElement?.localName} ${document.activeElement?.textContent?.trim().slice(0, 40)}`);
const title = (page) => page.locator("main h1").first().innerText();
const at = (page) => page.evaluate(() => location.pathname + location.hash);
const y = (page) => page.evaluate(() => Math.round(scrollY));
const heading = (page, words) => until(`the page ${words}`, async () => (await title(page)).startsWith(words));

await withBrowser(async (_browser, open) => {
  const page = await open(`${url}/index.html`);
  await page.evaluate(() => { window.stayed = true; });
  const stayed = () => page.evaluate(() => window.stayed === true);

  step("the tree: parts, numbers, folding, a draft, the open page");
  const side = page.locator("#side");
  check((await side.locator("h2").allInnerTexts()).some((text) => /harbour/i.test(text)), "a part's title");
  check((await side.locator("a[href$='pilots.html']").textContent()) === "1.2. Pilots", "numbers");
  check((await side.locator(".draft").innerText()).includes("Customs"), "a draft");
  check((await side.locator(".tree a[aria-current=page]").innerText()).includes("Welcome"), "the open page");
  await picture(page, "tree-light");

  step("a visit without a load: title, address, focus, words for screen readers");
  await side.getByRole("link", { name: "1. Arrival" }).hover();
  await side.getByRole("link", { name: "1. Arrival" }).click();
  await heading(page, "Arrival");
  check(await stayed(), "loaded anew");
  check((await at(page)) === "/guide/arrival.html", await at(page));
  check(/^Arrival/.test(await page.title()), await page.title());
  check(/^h1 Arrival/.test(await focus(page)), `the focus is on ${await focus(page)}`);
  await until("the title is said", async () => /Arrival/.test(await page.locator("#say").innerText()));
  check(await side.getByRole("link", { name: "1.1. Berths and tides" }).isVisible(), "its branch is open");
  check((await page.locator(".crumbs").innerText()).includes("harbour"), "the way to it");

  step("back and forward keep the place");
  await page.evaluate(() => scrollTo({ top: 600, behavior: "instant" }));
  await page.keyboard.press("ArrowRight");
  await heading(page, "Berths");
  check((await y(page)) === 0, `begins at ${await y(page)}`);
  await page.goBack();
  await heading(page, "Arrival");
  await until("the place is kept", async () => Math.abs((await y(page)) - 600) < 4);
  await page.goForward();
  await heading(page, "Berths");
  await page.goBack();
  await heading(page, "Arrival");
  await until("the place is kept again", async () => Math.abs((await y(page)) - 600) < 4);
  check(await stayed(), "loaded anew");

  step("a link to a heading of another page");
  await page.goto(`${url}/index.html`);
  await page.evaluate(() => { window.stayed = true; });
  await page.locator("main a[href$='arrival.html#tides']").click();
  await heading(page, "Arrival");
  await until("the heading is in view", () => page.locator("#tides").evaluate((one) => Math.abs(one.getBoundingClientRect().top - 72) < 60));
  check((await at(page)) === "/guide/arrival.html#tides" && (await stayed()), await at(page));
  check(await page.locator("#tides").evaluate((one) => one.matches(":target")), "it is the target");

  step("keys: next, previous, help, colours, sidebar");
  await page.keyboard.press("ArrowRight");
  await heading(page, "Berths");
  await page.keyboard.press("ArrowLeft");
  await heading(page, "Arrival");
  await page.keyboard.press("?");
  const dialog = page.getByRole("dialog", { name: "Keys" });
  check((await dialog.innerText()).includes("Next page"), "the help names the keys");
  await picture(page, "keys-light");
  await page.keyboard.press("ArrowRight");
  check((await title(page)).startsWith("Arrival"), "keys rest while the help is open");
  await page.keyboard.press("Escape");
  check(!(await dialog.isVisible()), "Escape closes it");
  const mode = () => page.evaluate(() => document.documentElement.dataset.mode);
  const before = await mode();
  await page.keyboard.press("t");
  check((await mode()) !== before, "colours");
  await page.keyboard.press("s");
  check(!(await side.isVisible()), "the sidebar is hidden");
  await page.keyboard.press("s");
  check(await side.isVisible(), "and shown");

  step("a heading's link copies its address");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.locator("#tides .anchor").click();
  check((await page.evaluate(() => navigator.clipboard.readText())) === `${url}/guide/arrival.html#tides`, "copied");
  await until("it is said", async () => /copied/.test(await page.locator("#say").innerText()));

  step("a term shows its meaning on focus, and Escape takes it away");
  const term = page.locator("main .term").first();
  await term.locator("a").focus();
  const tip = term.getByRole("tooltip");
  check(await tip.isVisible(), "shown");
  const box = await tip.boundingBox();
  check(box && box.x >= 0 && box.x + box.width <= 1440, "inside the window");
  await page.keyboard.press("Escape");
  check(!(await tip.isVisible()), "gone");
  await term.locator("a").click();
  await heading(page, "Glossary");
  check((await page.locator("#glossary-tide").innerText()).includes("rise and fall"), "the definition");

  step("what is folded stays folded");
  await page.goto(`${url}/words.html`);
  const fold = page.locator("#side summary").first();
  const branch = page.locator("#side details").first();
  const was = await branch.evaluate((one) => one.open);
  await fold.click();
  await page.reload();
  check((await branch.evaluate((one) => one.open)) === !was, "after a load");
  await page.locator("#side").getByRole("link", { name: "Afterword" }).click();
  await heading(page, "Afterword");
  check((await branch.evaluate((one) => one.open)) === !was, "after a visit");

  step("keyboard alone reaches everything, and shows where it is");
  await page.goto(`${url}/guide/arrival.html`);
  const wanted = await page.evaluate(() => {
    const seen = (/** @type {Element} */ one) => one.checkVisibility({ visibilityProperty: true });
    const all = [...document.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex='0']")].filter(seen);
    all.forEach((one, nth) => (one.dataset.nth = String(nth)));
    return all.length;
  });
  const reached = new Set();
  const dim = [];
  for (let press = 0; press < wanted + 5; press++) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => {
      const one = document.activeElement;
      if (!(one instanceof HTMLElement) || one === document.body) return null;
      const style = getComputedStyle(one);
      return { nth: one.dataset.nth, name: one.outerHTML.slice(0, 80), shown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 };
    });
    if (!here?.nth) continue;
    reached.add(here.nth);
    if (!here.shown) dim.push(here.name);
  }
  step(`${reached.size} of ${wanted} reached`);
  check(reached.size === wanted, "not everything was reached");
  check(dim.length === 0, `without a visible focus: ${dim.join("\n")}`);

  step("the drawer at 390: focus stays inside, Escape closes it");
  const phone = await open(`${url}/guide/arrival.html`, { viewport: { width: 390, height: 844 }, hasTouch: true });
  check(!(await phone.locator("#side").isVisible()), "closed at first");
  const menu = phone.locator(".bar .menu");
  await menu.focus();
  await phone.keyboard.press("Enter");
  await until("it is open", () => phone.locator("#side").isVisible());
  await picture(phone, "drawer-390");
  for (let press = 0; press < 30; press++) {
    await phone.keyboard.press("Tab");
    const outside = await phone.evaluate(() => document.activeElement !== document.body && !document.activeElement?.closest("#side"));
    check(!outside, `the focus left the drawer: ${await focus(phone)}`);
  }
  await phone.keyboard.press("Escape");
  check(!(await phone.locator("#side").isVisible()), "closed");
  check(await menu.evaluate((one) => one === document.activeElement), "the focus is back at its button");
  await menu.tap();
  await phone.locator("#side").getByRole("link", { name: "2. Cranes" }).tap();
  await heading(phone, "Cranes");
  check(!(await phone.locator("#side").isVisible()), "a link closes it");

  step("touch shows a term's meaning first, then follows");
  await phone.goto(`${url}/guide/arrival.html`);
  const touched = phone.locator("main .term a").first();
  await touched.tap();
  check(await phone.locator("main .term").first().getByRole("tooltip").isVisible(), "shown");
  check((await title(phone)).startsWith("Arrival"), "not followed yet");
  await touched.tap();
  await heading(phone, "Glossary");

  step("no page is wider than its window, from 360 to 2560");
  for (const width of [360, 390, 768, 1024, 1440, 2560]) {
    const sized = await open(`${url}/guide/berths.html`, { viewport: { width, height: 900 } });
    const over = await sized.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(over <= 0, `${width}: ${over} px too wide`);
    await sized.context().close();
  }

  step("on paper: the text alone");
  await page.goto(`${url}/guide/berths.html`);
  await page.emulateMedia({ media: "print" });
  for (const part of [".bar", "#side", "#toc", ".beside", ".foot"]) {
    const one = page.locator(part).first();
    check((await one.count()) === 0 || !(await one.isVisible()), `${part} is printed`);
  }
  check(await page.locator("main h1").first().isVisible(), "the text");

  step("the whole book on one page: its links stay within it");
  await page.emulateMedia({ media: "screen" });
  await page.goto(`${url}/print.html`);
  const whole = await page.evaluate(() => {
    const links = [...document.querySelectorAll("main a[href]")].map((link) => link.getAttribute("href") || "");
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    return {
      chapters: document.querySelectorAll(".chapter").length,
      leaving: links.filter((href) => !/^(#|https?:|\/live\/)/.test(href)),
      dead: links.filter((href) => href.startsWith("#") && !document.getElementById(href.slice(1))),
      doubled: ids.filter((id, nth) => ids.indexOf(id) !== nth),
    };
  });
  check(whole.chapters === 8, `${whole.chapters} chapters`);
  check(whole.leaving.length + whole.dead.length + whole.doubled.length === 0, JSON.stringify(whole));

  step("an address that does not exist: what may have been meant");
  await page.goto(`${url}/guide/arival.html`);
  check((await page.locator("[data-suggest] a").first().innerText()).includes("Arrival"), "a suggestion");
  await page.locator("[data-suggest] a").first().click();
  await heading(page, "Arrival");
});
