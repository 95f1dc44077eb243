// A book that asks a lot: what one tick costs the processor.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A book with `count` tiles, each with a query of its own over the bench's series: rates of ten series, and p99 of the
 * fifteen buckets of an instance. */
export function writeBook(count) {
  const folder = mkdtempSync(join(tmpdir(), "bench-book-"));
  writeFileSync(join(folder, "book.toml"), '[book]\ntitle = "Bench"\nsrc = "."\n');
  const services = Array.from({ length: 20 }, (_, n) => `service-${String(n).padStart(2, "0")}`);
  const queries = [];
  for (const route of ["/", "/orders", "/orders/{id}", "/cart", "/search"]) {
    for (const method of ["GET", "POST", "PUT"]) {
      for (const service of services) queries.push(["> 1", `sum(rate(bench_requests_total{service="${service}",route="${route}",method="${method}"}[5m]))`]);
    }
  }
  for (let instance = 0; instance < 20; instance++) {
    for (const [at, service] of services.entries()) {
      queries.push(["< 500ms", `histogram_quantile(0.99, sum by (le) (rate(bench_latency_seconds_bucket{service="${service}",instance="10.0.${at}.${instance}:9090"}[5m])))`]);
    }
  }
  // From both kinds alike.
  const half = Math.ceil(count / 2);
  const chosen = [...queries.slice(0, half), ...queries.slice(300, 300 + count - half)];
  const tiles = chosen.map(([value, query], at) => ({ id: `tile-${at}`, label: `Tile ${at}`, value, query, ...(value.endsWith("ms") ? { unit: "s" } : {}) }));
  for (let page = 0; page * 50 < tiles.length; page++) {
    const grid = JSON.stringify(tiles.slice(page * 50, page * 50 + 50), null, 1);
    writeFileSync(join(folder, page === 0 ? "index.md" : `page-${page}.md`), `# Page ${page}\n\n\`\`\`kpi-grid\n${grid}\n\`\`\`\n`);
  }
  return { folder, tiles: tiles.length };
}
