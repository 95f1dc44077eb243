// Readers of server-sent events, each on a connection of its own. `run.mjs` starts this process and asks it.
import { Agent, get } from "node:http";

const [url, wanted, batch] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
/** Time between batches of connections. */
const PAUSE_MS = 100;

const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
let measuring = false;
let bytes = 0;
/** Per tick (its id): first and last arrival, and how many readers got it. */
let ticks = new Map();

function reader() {
  return new Promise((resolve, reject) => {
    const asked = get(url, { agent, headers: { accept: "text/event-stream" } }, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`a stream was answered with ${answer.statusCode}`));
      let rest = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => {
        resolve();
        if (measuring) bytes += Buffer.byteLength(part);
        rest += part;
        for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
          const event = rest.slice(0, end);
          rest = rest.slice(end + 2);
          const id = /^id: ?(.*)$/m.exec(event)?.[1];
          if (measuring && id && /^event: ?cells$/m.test(event)) arrived(id);
        }
      });
      answer.on("end", () => process.send({ kind: "failed", why: "a stream ended" }));
    });
    asked.on("error", (error) => reject(error));
  });
}

function arrived(id) {
  const now = performance.now();
  const known = ticks.get(id);
  if (!known) ticks.set(id, { first: now, last: now, count: 1 });
  else {
    known.last = now;
    known.count += 1;
  }
}

process.on("message", ({ begin }) => {
  [bytes, ticks, measuring] = [0, new Map(), true];
  setTimeout(() => {
    measuring = false;
    // The first and the last may have been cut by the clock.
    const whole = [...ticks.values()].slice(1, -1);
    const spreads = whole.map(({ first, last }) => last - first).sort((a, b) => a - b);
    const got = [...ticks.values()].reduce((sum, { count }) => sum + count, 0);
    const missed = whole.reduce((sum, { count }) => sum + (wanted - count), 0);
    process.send({ kind: "measured", ticks: got, bytes, spread: spreads[spreads.length >> 1] ?? 0, missed });
  }, begin);
});
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));

try {
  for (let open = 0; open < wanted; open += batch) {
    await Promise.all(Array.from({ length: Math.min(batch, wanted - open) }, reader));
    await new Promise((wake) => setTimeout(wake, PAUSE_MS));
  }
  process.send({ kind: "open" });
} catch (error) {
  process.send({ kind: "failed", why: error.message });
}
