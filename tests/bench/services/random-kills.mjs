// CloudScale while its processes die: minutes of orders with random kills, pauses, late answers and failures, then quiet,
// and then the books are checked: no money, no stock and no event may be lost, and nobody be told a thing twice.
//
//   cargo build --release --bin cloudscale && node tests/bench/services/random-kills.mjs [OPTIONS]
//
//   --minutes N        of faults (10)
//   --seed N           of what goes wrong and what is bought (the time)
//   --customers N      who order, one request each at a time (8)
//   --cloudscale PATH  (target/release/cloudscale)
//   --keep             keeps the folder with data and logs, and says where it is
//
// `cloudscale up` runs with two replicas of catalog, orders and payments and without traffic of its own; faults come from
// `cloudscale fault`, for every service, the gateway too. Each customer writes down what he sent and what he heard: an
// answer that did not come counts as unknown, and is asked for again with the same idempotency key when all is healed.
// Checked then: what each service says at /invariants; that each key stands for one order; that order, payment and
// shipment agree; that the ledger has what paid orders are worth; that as many pieces left as were sold; that every event
// was delivered and handled once; that each customer has a profile and was told of each thing once.
// Exit code 0: all of it holds; 1: something does not, or it did not come to rest.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ask, freePort, sleep } from "../telemetry/servers.mjs";

const root = new URL("../../..", import.meta.url).pathname;
/** Until everything has started. */
const START_MS = 60_000;
/** Until everything has come to rest after the faults. */
const QUIET_MS = 120_000;
/** A process that does not end by itself is killed after this time. */
const END_MS = 20_000;
/** Pause of a customer between two requests, at most. */
const LEISURE_MS = 200;
/** Most orders of a customer of which he does not know what became of them; he asks for these first. */
const OPEN_QUESTIONS = 5;
/** Pause between two faults, at most. */
const CALM_MS = 1_500;
const REPLICAS = { catalog: 2, orders: 2, payments: 2 };
const PRICES = { tea: 450, mug: 890, kettle: 5_450 };
/** What an order's payment and shipment may be in the end. */
const ENDS = {
  paid: { payment: ["captured"], shipment: ["scheduled", "released", "dispatched", "delivered"] },
  payment_failed: { payment: ["declined", "voided"], shipment: ["", "cancelled"] },
  rejected: { payment: ["voided"], shipment: ["", "cancelled"] },
  cancelled: { payment: ["refunded"], shipment: ["cancelled"] },
};

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    customers: { type: "string", default: "8" },
    cloudscale: { type: "string", default: join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release/cloudscale") },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), "random-kills-"));
const data = join(folder, "data");
const agent = new Agent({ keepAlive: true });
const JSON_TYPE = { "content-type": "application/json" };
let up;

/** Numbers below a limit that follow from a seed (mulberry32). */
function chance(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % limit;
  };
}

function cloudscale(args) {
  return new Promise((resolve) => {
    const child = spawn(options.cloudscale, [...args, "--data-dir", data], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stdout.on("data", (text) => (said += text));
    child.stderr.on("data", (text) => (said += text));
    child.once("exit", (code) => resolve({ code, said }));
  });
}

async function replicas() {
  const { code, said } = await cloudscale(["status", "--json"]);
  return code === 0 ? JSON.parse(said) : [];
}

async function until(what, limit, check) {
  let last;
  for (const begin = Date.now(); Date.now() - begin < limit; await sleep(200)) {
    if (up.exitCode !== null) throw new Error(`${what}: \`cloudscale up\` ended\n${up.said}`);
    last = await check().catch((error) => error.message);
    if (last === true) return;
  }
  throw new Error(`${what}: not within ${limit / 1000} s: ${last}`);
}

const ready = async () => {
  const all = await replicas();
  const away = all.filter((one) => one.state !== "ready").map((one) => `${one.instance} is ${one.state}`);
  return (all.length > 0 && away.length === 0) || away.join(", ");
};

async function start() {
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const names = ["--port", "--gateway-port", "--otlp-grpc-port", "--otlp-http-port"];
  const flags = names.flatMap((name, at) => [name, String(ports[at])]);
  up = spawn(options.cloudscale, ["up", "--quiet", "--traffic", "0", "--seed", options.seed, "--book", root, "--data-dir", data, ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  up.said = "";
  up.stderr.on("data", (text) => (up.said = (up.said + text).slice(-4000)));
  await until("the start", START_MS, ready);
  for (const [service, count] of Object.entries(REPLICAS)) {
    const { code, said } = await cloudscale(["scale", service, String(count)]);
    if (code !== 0) throw new Error(said);
  }
  return `http://127.0.0.1:${ports[1]}`;
}

async function end() {
  if (up && up.exitCode === null) {
    const ended = new Promise((resolve) => up.once("exit", resolve));
    up.kill("SIGTERM");
    const late = setTimeout(() => up.kill("SIGKILL"), END_MS);
    await ended;
    clearTimeout(late);
  }
  agent.destroy();
  if (options.keep) console.log(`data and logs are in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end().finally(() => process.exit(130)));

/** A customer, and the journal of what he sent and heard. */
class Customer {
  constructor(gateway, number, seed) {
    this.gateway = gateway;
    this.name = `customer${number}@example.org`;
    this.draw = chance(seed ^ (0x9e3779b9 * (number + 1)));
    this.number = number;
    /** Key to order: `body`, `fate` (a status, or `unknown`), `id` once it is known, `cancelled` if that was asked for. */
    this.journal = new Map();
    this.answers = { answered: 0, unknown: 0 };
  }

  async send(method, path, { body, key } = {}) {
    const headers = { ...(body && JSON_TYPE), ...(this.token && { authorization: `Bearer ${this.token}` }), ...(key && { "idempotency-key": key }) };
    try {
      const answer = await ask(this.gateway + path, { method, headers, agent, body: body && JSON.stringify(body) });
      this.answers.answered += 1;
      return answer;
    } catch {
      this.answers.unknown += 1;
      return { status: "unknown", body: "" };
    }
  }

  /** Registers where he has not yet, and logs in, for as long as it takes. */
  async signIn(stopped) {
    const body = { email: this.name, password: "correct horse battery" };
    while (!stopped()) {
      const registered = this.registered ?? (await this.send("POST", "/v1/register", { body })).status;
      if (registered === 201 || registered === 409) this.registered = registered;
      const session = await this.send("POST", "/v1/login", { body });
      if (session.status === 200) return (this.token = JSON.parse(session.body).access_token);
      await sleep(LEISURE_MS);
    }
  }

  async shop(stopped) {
    await this.signIn(stopped);
    for (let count = 0; !stopped(); count += 1) {
      await sleep(this.draw(LEISURE_MS));
      const open = [...this.journal].filter(([, order]) => !order.id);
      const asks = open.length >= OPEN_QUESTIONS || (open.length > 0 && this.draw(3) === 0);
      await this.place(asks ? open[0][0] : `kills-${options.seed}-${this.number}-${count}`);
      if (this.draw(6) === 0) await this.callOff(stopped);
      if (this.draw(10) === 0) await this.send("GET", "/v1/orders?limit=5");
    }
  }

  async place(key) {
    const order = this.journal.get(key) ?? { body: this.basket(), fate: "unknown" };
    this.journal.set(key, order);
    const { status, body } = await this.send("POST", "/v1/orders", { body: order.body, key });
    if (status === 401) await this.signIn(() => false);
    order.fate = status;
    // A refusal names the order in words.
    if ([200, 201, 202].includes(status)) order.id = JSON.parse(body).id;
    if ([402, 409].includes(status)) order.id = /order `([0-9a-f-]{36})`/.exec(body)?.[1];
    return order;
  }

  basket() {
    const lines = Object.entries(PRICES).map(([sku, unit_price_minor]) => ({ sku, quantity: this.draw(3), unit_price_minor }));
    const wanted = lines.filter((line) => line.quantity > 0);
    return { lines: wanted.length > 0 ? wanted : [{ ...lines[0], quantity: 1 }], currency: "EUR" };
  }

  async callOff() {
    const paid = [...this.journal.values()].filter((order) => order.fate === 201 && order.id && !order.cancelled);
    if (paid.length === 0) return;
    const order = paid.at(-1);
    order.cancelled = true;
    await this.send("POST", `/v1/orders/${order.id}/cancel`, { key: `cancel-${order.id}` });
  }

  /** Asks for what he does not know, until he does. */
  async settle() {
    await this.signIn(() => false);
    for (const [key, order] of this.journal) {
      for (const begin = Date.now(); !order.id; await sleep(50)) {
        await this.place(key);
        if (Date.now() - begin > QUIET_MS) throw new Error(`what became of ${key} stays unknown: ${order.fate}`);
      }
    }
  }

  async page(path, list, next) {
    const all = [];
    for (let before; ; ) {
      const { status, body } = await this.send("GET", `${path}?limit=100${before === undefined ? "" : `&before=${before}`}`);
      if (status === 429) {
        await sleep(LEISURE_MS);
        continue;
      }
      if (status !== 200) throw new Error(`${path} answers ${status} ${body}`);
      const page = JSON.parse(body);
      all.push(...page[list]);
      if (page[next] === undefined || page[next] === null) return all;
      before = page[next];
    }
  }
}

/** Lets things go wrong until the time is over. */
async function hurt(draw, stopped) {
  const counts = {};
  while (!stopped()) {
    const all = (await replicas()).filter((one) => one.name !== "traffic");
    if (all.length === 0) continue;
    const one = all[draw(all.length)];
    const whom = `${one.name}/${one.instance}`;
    const kind = ["kill", "kill", "kill", "pause", "pause", "latency", "error"][draw(7)];
    const how = {
      kill: [],
      pause: ["--for", `${300 + draw(2_700)}ms`],
      latency: ["--for", `${1 + draw(5)}s`, "--ms", String(50 + draw(2_500)), "--percent", String(10 + draw(91))],
      error: ["--for", `${1 + draw(5)}s`, "--percent", String(5 + draw(60))],
    };
    const { code, said } = await cloudscale(["fault", kind, whom, ...how[kind]]);
    if (code === 0) counts[kind] = (counts[kind] ?? 0) + 1;
    // Whoever does not run just now, or stands still, cannot be hurt.
    else if (!/does not run now|did not take the fault/.test(said) && !stopped()) throw new Error(`fault ${kind} ${whom}: ${said}`);
    await sleep(draw(CALM_MS));
  }
  return counts;
}

/** All that the services say of themselves, from one replica of each: replicas share their data. */
class Books {
  constructor(all) {
    this.at = new Map();
    for (const { name, address } of all) if (address && !this.at.has(name)) this.at.set(name, `http://${address}`);
    this.all = all.filter((one) => one.address);
  }

  async get(service, path, headers = {}) {
    const answer = await ask(`${this.at.get(service)}${path}`, { headers });
    return { status: answer.status, value: answer.status < 300 ? JSON.parse(answer.body) : undefined };
  }

  async figure(service, invariant, figure) {
    const { value } = await this.get(service, "/invariants");
    return value.invariants.find(({ name }) => name === invariant)?.figures[figure] ?? 0;
  }

  /** From producer to consumer: what was published, and what became of it. */
  async routes() {
    const routes = [];
    for (const consumer of this.at.keys()) {
      const { value } = await this.get(consumer, "/internal/inbox");
      for (const tally of value ?? []) {
        const feed = await this.get(tally.producer, `/internal/outbox?after=${Number.MAX_SAFE_INTEGER}`);
        routes.push({ ...tally, consumer, published: feed.value.last });
      }
    }
    return routes;
  }

  async busy() {
    const open = await this.figure("orders", "sagas_end", "open");
    if (open > 0) return `${open} sagas are open`;
    const waits = async () => (await this.routes()).find((it) => it.in_flight > 0 || it.position < it.published);
    const moving = async () => this.figure("shipping", "shipments_move_on", "moving");
    const waiting = (await waits()) ?? ((await moving()) > 0 ? "shipments are on their way" : await waits());
    if (waiting) return JSON.stringify(waiting);
    const metrics = (await ask(`${this.at.get("notifications")}/metrics`)).body.toString();
    const unsent = [...metrics.matchAll(/^notifications_waiting\{[^}]*\} (\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    return unsent > 0 ? `${unsent} notifications wait` : true;
  }
}

async function check(books, customers) {
  const wrong = [];
  const expect = (right, words) => right || wrong.push(words);
  for (const { instance, address } of books.all) {
    const answer = await ask(`http://${address}/invariants`);
    if (answer.status === 404) continue;
    for (const it of JSON.parse(answer.body).invariants) expect(it.holds, `${instance}: ${it.name}: ${it.says}`);
  }
  const sold = Object.fromEntries(Object.keys(PRICES).map((sku) => [sku, 0]));
  const states = {};
  let worth = 0;
  const owners = new Map();
  for (const customer of customers) {
    const orders = await customer.page("/v1/orders", "orders", "next");
    const known = new Map(orders.map((order) => [order.id, order]));
    for (const [key, { id, fate, body }] of customer.journal) {
      expect(!owners.has(id), `${key} and ${owners.get(id)} stand for the same order`);
      owners.set(id, key);
      const order = known.get(id);
      if (!order) {
        wrong.push(`${key} was answered with ${fate}, and its order ${id} is lost`);
        continue;
      }
      expect(JSON.stringify(order.lines) === JSON.stringify(body.lines), `${key}: the order has other lines than were sent`);
      states[order.state] = (states[order.state] ?? 0) + 1;
      const headers = { authorization: `Bearer ${customer.token}` };
      const payment = (await books.get("payments", `/v1/payments/by-key/${id}`, headers)).value?.state ?? "";
      const shipment = (await books.get("shipping", `/v1/shipments/${id}`, headers)).value?.state ?? "";
      const end = ENDS[order.state];
      expect(end?.payment.includes(payment), `order ${id} is ${order.state} and its payment is \`${payment}\``);
      expect(end?.shipment.includes(shipment), `order ${id} is ${order.state} and its shipment is \`${shipment}\``);
      if (order.state !== "paid") continue;
      worth += order.total.minor;
      for (const { sku, quantity } of order.lines) sold[sku] += quantity;
    }
    expect(orders.length === customer.journal.size, `${customer.name} sent ${customer.journal.size} orders and has ${orders.length}`);
    const profile = await customer.send("GET", "/v1/profile");
    expect(profile.status === 200 && JSON.parse(profile.body).email === customer.name, `${customer.name} has no profile: ${profile.status}`);
    await told(customer, orders, expect);
  }
  const received = await books.figure("payments", "ledger_matches_payments", "EUR_received_minor");
  expect(received === worth, `paid orders are worth ${worth}, and the ledger has received ${received}`);
  for (const [sku, pieces] of Object.entries(sold)) {
    const { value } = await books.get("catalog", `/v1/products/${sku}/stock`);
    const taken = value.reserved + value.shipped;
    expect(taken === pieces, `${pieces} ${sku} were sold, and ${taken} pieces are set aside or gone`);
    expect(value.received === value.on_hand + taken, `${sku} does not add up: ${value.on_hand} + ${taken} of ${value.received}`);
  }
  for (const { producer, consumer, published, position, delivered, handled, dead } of await books.routes()) {
    expect(position === published, `${producer} to ${consumer}: read up to ${position} of ${published}`);
    expect(delivered === handled && dead === 0, `${producer} to ${consumer}: ${delivered} delivered, ${handled} handled, ${dead} dead`);
  }
  return { wrong, states, worth };
}

/** Each order's end, payment and dispatch is told, and nothing twice. */
async function told(customer, orders, expect) {
  const notes = await customer.page("/v1/notifications", "notifications", "next");
  const of = new Map();
  for (const note of notes) of.set(note.order, [...(of.get(note.order) ?? []), note]);
  for (const { id, state, shipment } of orders) {
    const kinds = (of.get(id) ?? []).map(({ kind }) => kind);
    expect(new Set(kinds).size === kinds.length, `order ${id} was told of twice: ${kinds}`);
    const wanted = {
      paid: ["order_confirmed", "payment_received", ...(shipment === "delivered" ? ["shipment_dispatched", "shipment_delivered"] : [])],
      cancelled: ["payment_refunded", "order_cancelled"],
      rejected: ["order_cancelled"],
      payment_failed: ["order_cancelled"],
    };
    for (const kind of wanted[state] ?? []) expect(kinds.includes(kind), `order ${id} is ${state}, and ${kind} was not told: ${kinds}`);
  }
}

async function main() {
  if (options.help) {
    const text = (await import("node:fs")).readFileSync(new URL(import.meta.url), "utf8");
    console.log(text.slice(0, text.indexOf("\nimport ")).replace(/^\/\/ ?/gm, ""));
    return 0;
  }
  if (!existsSync(options.cloudscale)) throw new Error(`${options.cloudscale} is not there\nhelp: cargo build --release --bin cloudscale, or --cloudscale PATH`);
  const seed = Number(options.seed);
  console.log(`seed ${seed} (again with --seed ${seed}); ${options.minutes} min`);
  const gateway = await start();
  const over = Date.now() + Number(options.minutes) * 60_000;
  const stopped = () => Date.now() > over || up.exitCode !== null;
  const customers = Array.from({ length: Number(options.customers) }, (_, number) => new Customer(gateway, number, seed));
  const [counts] = await Promise.all([hurt(chance(seed), stopped), ...customers.map((customer) => customer.shop(stopped))]);
  console.log(`faults: ${Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(", ")}`);
  await cloudscale(["fault", "clear"]);
  await until("all are back", QUIET_MS, ready);
  const healed = Date.now();
  const restarts = (await replicas()).reduce((sum, one) => sum + one.restarts, 0);
  const sent = customers.reduce((sum, { journal }) => sum + journal.size, 0);
  const unknown = customers.flatMap(({ journal }) => [...journal.values()]).filter(({ id }) => !id).length;
  console.log(`${restarts} restarts; ${sent} orders were sent, of ${unknown} it is not known what became of them`);
  await Promise.all(customers.map((customer) => customer.settle()));
  const books = new Books(await replicas());
  await until("it comes to rest", QUIET_MS, () => books.busy());
  console.log(`at rest ${((Date.now() - healed) / 1000).toFixed(1)} s after the faults`);
  const { wrong, states, worth } = await check(books, customers);
  console.log(`orders: ${Object.entries(states).map(([state, count]) => `${count} ${state}`).join(", ")}; ${(worth / 100).toFixed(2)} EUR`);
  for (const words of wrong) console.log(`WRONG ${words}`);
  console.log(wrong.length === 0 ? "nothing is lost" : `${wrong.length} things are wrong (seed ${seed})`);
  return wrong.length === 0 ? 0 : 1;
}

let code = 1;
try {
  code = await main();
} catch (error) {
  console.error(`error: ${error.message}`);
}
await end();
process.exit(code);
