// The servers side by side: starting them on free ports and empty folders, what they take, ending them by their id.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A server that is not ready after this time does not come. */
const START_MS = 30_000;
/** A server that does not end by itself after this time is killed. */
const END_MS = 20_000;
/** A request ends after this time. */
const REQUEST_MS = 120_000;
/** Clock ticks a second, of which /proc counts processors' time. */
const TICKS = Number(spawnSync("getconf", ["CLK_TCK"]).stdout?.toString() || 100);

const running = new Set();

/** A port that nobody uses now. */
export const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** Sends a request and gives status and body; `agent` keeps connections. */
export function ask(url, { method = "GET", headers = {}, body, agent } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent, timeout: REQUEST_MS }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ status: answer.statusCode, body: Buffer.concat(parts) }));
      answer.on("error", reject);
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer from ${url} within ${REQUEST_MS / 1000} s`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

/** How each of them is started, and where it takes and answers what. */
export const KINDS = {
  loggia: {
    ready: "/readyz",
    write: "/prometheus/api/v1/write",
    api: "/prometheus/api/v1",
    command: ({ program, port, folder, book, flags }) => [
      program,
      ["serve", book ?? writeEmptyBook(folder), "--port", port, "--otlp-grpc-port", "0", "--otlp-http-port", "0", "--no-watch", "--data-dir", join(folder, "data"), ...(flags ?? [])],
    ],
  },
  prometheus: {
    ready: "/-/ready",
    write: "/api/v1/write",
    api: "/api/v1",
    command: ({ program, port, folder }) => {
      const config = join(folder, "prometheus.yml");
      writeFileSync(config, "global: {}\n");
      return [program, [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "data")}`, `--web.listen-address=127.0.0.1:${port}`, "--web.enable-remote-write-receiver"]];
    },
  },
  victoriametrics: {
    ready: "/health",
    write: "/api/v1/write",
    api: "/api/v1",
    // Without its own look at itself, and without the half minute by which it otherwise answers late.
    command: ({ program, port, folder }) => [program, [`-storageDataPath=${join(folder, "data")}`, `-httpListenAddr=127.0.0.1:${port}`, "-search.latencyOffset=0s"]],
    flush: "/internal/force_flush",
    query: "&nocache=1",
  },
  // Only writes events: the floor of the bench of streams.
  writer: {
    ready: "/ready",
    command: ({ program, port, flags }) => [program, [new URL("../streaming/writer.mjs", import.meta.url).pathname, port, ...flags]],
  },
};

function writeEmptyBook(folder) {
  writeFileSync(join(folder, "book.toml"), '[book]\ntitle = "Bench"\nsrc = "."\n');
  writeFileSync(join(folder, "index.md"), "# Bench\n");
  return folder;
}

/** A server in a folder of its own; ends when `end` is called, at the latest with this process. */
export class Server {
  static async start(kind, program, { book, flags } = {}) {
    const server = new Server();
    Object.assign(server, { kind, ...KINDS[kind], folder: mkdtempSync(join(tmpdir(), `bench-${kind}-`)) });
    const port = String(await freePort());
    server.url = `http://127.0.0.1:${port}`;
    server.agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const [command, args] = server.command({ program, port, folder: server.folder, book, flags });
    server.process = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    server.said = "";
    server.process.stderr.on("data", (text) => (server.said = (server.said + text).slice(-4000)));
    running.add(server);
    await server.isReady();
    return server;
  }

  async isReady() {
    for (const start = Date.now(); Date.now() - start < START_MS; await sleep(50)) {
      if (this.process.exitCode !== null) throw new Error(`${this.kind} ended:\n${this.said}`);
      const answer = await ask(this.url + this.ready).catch(() => undefined);
      if (answer?.status === 200) return;
    }
    throw new Error(`${this.kind} was not ready within ${START_MS / 1000} s:\n${this.said}`);
  }

  /** Proportional set size, MiB. */
  pss() {
    const rollup = readFileSync(`/proc/${this.process.pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+)/m.exec(rollup)[1]) / 1024;
  }

  /** Seconds that processors worked for it. */
  cpu() {
    const stat = readFileSync(`/proc/${this.process.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  /** Bytes of its data, as the file system counts them. */
  disk(folder = join(this.folder, "data")) {
    let bytes = 0;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      try {
        bytes += entry.isDirectory() ? this.disk(path) : statSync(path).blocks * 512;
      } catch {
        // It went in between.
      }
    }
    return bytes;
  }

  async end() {
    this.agent.destroy();
    if (this.process.exitCode === null) {
      const ended = new Promise((resolve) => this.process.once("exit", resolve));
      this.process.kill("SIGTERM");
      const late = setTimeout(() => this.process.kill("SIGKILL"), END_MS);
      await ended;
      clearTimeout(late);
    }
    running.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ends what still runs. */
export async function endAll() {
  await Promise.all([...running].map((server) => server.end()));
}

process.on("exit", () => running.forEach((server) => server.process.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => endAll().finally(() => process.exit(130)));
