// Diagrams that mean harm, page by page: node hostile.mjs URL PAGE ...
// Under the server's own policy, and under one that allows nothing foreign at all.
import { check, step, withBrowser } from "./chromium.mjs";

const [url, ...pages] = process.argv.slice(2);
const STRICT = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'";

/** What of a figure could run, load or lead away. */
const dirt = () => {
  const found = [];
  for (const element of document.querySelectorAll(".figure *, figure *, pre *")) {
    if (/^(script|style|iframe|object|embed|foreignobject|image|animate|set|base|link|meta)$/i.test(element.localName)) found.push(`<${element.localName}>`);
    for (const { name, value } of element.attributes) {
      if (/^on/i.test(name)) found.push(`${name}=`);
      if (/^(href|src|xlink:href|action|formaction)$/i.test(name) && /^\s*(javascript|data|vbscript):/i.test(value)) found.push(`${name}=${value.slice(0, 30)}`);
      if (/url\(\s*['"]?(?!#)/i.test(value) && name !== "title") found.push(`${name}: url(`);
    }
  }
  return found;
};

await withBrowser(async (browser) => {
  /** By name, in how many of the two policies it was drawn. @type {Record<string, number>} */
  const drawn = {};
  for (const policy of [undefined, STRICT]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const faults = [];
    const origin = new URL(url).origin;
    page.on("dialog", (dialog) => { faults.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on("pageerror", (error) => faults.push(`an error: ${error}`));
    page.on("request", (request) => { if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) faults.push(`asked ${request.url()}`); });
    page.on("popup", () => faults.push("a window was opened"));
    await page.addInitScript(() => {
      globalThis.violations = [];
      addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    });
    if (policy) {
      await context.route("**/*", async (route) => {
        if (route.request().resourceType() !== "document") return route.fallback();
        const answer = await route.fetch();
        await route.fulfill({ response: answer, headers: { ...answer.headers(), "content-security-policy": policy } });
      });
    }
    for (const name of pages) {
      await page.goto(`${url}${name}.html`, { waitUntil: "load" });
      // Handlers that wait for the pointer get one.
      const figure = page.locator(".figure svg, figure svg").first();
      if (await figure.count()) {
        drawn[name] = (drawn[name] || 0) + 1;
        await figure.hover({ force: true, timeout: 2000 }).catch(() => {});
      }
      const [inside, violations] = [await page.evaluate(dirt), await page.evaluate(() => globalThis.violations)];
      const words = policy ? `${name} under the stricter policy` : name;
      check(inside.length === 0, `${words}: ${inside.join(", ")}`);
      check(violations.length === 0, `${words}: the policy was violated: ${violations.slice(0, 3).join("; ")}`);
      check(faults.length === 0, `${words}: ${faults.join(", ")}`);
      check(await page.getByText(`CANARY ${name}`).isVisible(), `${words}: the text below cannot be read`);
      check((await page.evaluate(() => 6 * 7)) === 42, `${words}: the page does not answer`);
    }
    step(`${pages.length} pages under ${policy ? "a stricter policy" : "the server's policy"}`);
    await context.close();
  }
  step(`${Object.keys(drawn).length} of ${pages.length} drawn, the others refused with their reason`);
  console.log(JSON.stringify(drawn));
});
