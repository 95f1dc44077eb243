// The series of the bench: what twenty services of ten to twenty instances expose, for an hour.
//
// 3,000 counters of requests, 400 classic histograms of 15 buckets with their sums and counts (6,800 series), 200 gauges:
// 10,000 series. Everything comes from one seed, so that each run and each server has the very same samples.

/** Milliseconds between two samples of a series. */
export const STEP_MS = 15_000;
/** Samples stand this far behind the steps of the queries: no window begins or ends on one, so that it does not matter on
 * which side of a window engines of different age count its edge. */
export const OFF_STEP_MS = 7_000;

const SERVICES = 20;
/** Bounds of HTTP histograms by OpenTelemetry, seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, Infinity];
/** Share of the observations in each bucket. */
const SHARES = [0.05, 0.11, 0.2, 0.21, 0.15, 0.1, 0.09, 0.04, 0.02, 0.01, 0.008, 0.005, 0.003, 0.003, 0.001];

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const number = (n) => String(n).padStart(2, "0");

function labels(name, service, instance, more = {}) {
  const all = {
    __name__: name,
    cluster: "eu-central-1",
    environment: "production",
    instance: `10.0.${service}.${instance}:9090`,
    job: `service-${number(service)}`,
    service: `service-${number(service)}`,
    ...more,
  };
  return Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A series: its labels and a function that gives its next value. */
function counters(rng) {
  const series = [];
  for (let service = 0; service < SERVICES; service++) {
    for (let instance = 0; instance < 10; instance++) {
      for (const route of ["/", "/orders", "/orders/{id}", "/cart", "/search"]) {
        for (const method of ["GET", "POST", "PUT"]) {
          const rate = 1 + Math.floor(rng() * 200);
          let value = 1e6 + Math.floor(rng() * 1e6);
          // An instance in fifty starts again somewhere in the hour.
          const restart = instance === 7 && service % 4 === 1 ? Math.floor(rng() * 200) + 20 : -1;
          let at = 0;
          const next = () => (value = at++ === restart ? 0 : value + Math.floor(rate * (0.5 + rng())));
          series.push({ labels: labels("bench_requests_total", service, instance, { route, method }), next });
        }
      }
    }
  }
  return series;
}

function histograms(rng) {
  const series = [];
  for (let service = 0; service < SERVICES; service++) {
    for (let instance = 0; instance < 20; instance++) {
      const rate = 5 + Math.floor(rng() * 100);
      const counts = BOUNDS.map(() => 1e5 + Math.floor(rng() * 1e5));
      let sum = rng() * 1000;
      // The first bucket moves all of them; the others only read.
      const move = () => {
        const total = Math.floor(rate * (0.5 + rng()));
        SHARES.forEach((share, at) => {
          const more = Math.floor(total * share + rng());
          counts[at] += more;
          sum += more * (BOUNDS[at] === Infinity ? 12 : BOUNDS[at]) * (0.5 + rng() / 2);
        });
      };
      const upTo = (last) => counts.slice(0, last + 1).reduce((all, count) => all + count, 0);
      BOUNDS.forEach((bound, at) => {
        const le = bound === Infinity ? "+Inf" : String(bound);
        const next = () => (at === 0 && move(), upTo(at));
        series.push({ labels: labels("bench_latency_seconds_bucket", service, instance, { le }), next });
      });
      series.push({ labels: labels("bench_latency_seconds_count", service, instance), next: () => upTo(BOUNDS.length - 1) });
      series.push({ labels: labels("bench_latency_seconds_sum", service, instance), next: () => sum });
    }
  }
  return series;
}

function gauges(rng) {
  const series = [];
  for (let service = 0; service < SERVICES; service++) {
    for (let instance = 0; instance < 10; instance++) {
      let value = rng();
      const next = () => (value = Math.min(1, Math.max(0, value + (rng() - 0.5) / 20)));
      series.push({ labels: labels("bench_cpu_ratio", service, instance), next });
    }
  }
  return series;
}

/** All series, in the order in which services would expose them. */
export function fleet(copies = 1) {
  const rng = random(5);
  const all = [];
  for (let copy = 0; copy < copies; copy++) {
    const part = [...counters(rng), ...histograms(rng), ...gauges(rng)];
    if (copies > 1) part.forEach((series) => series.labels.push(["zone", String(copy)]));
    all.push(...part);
  }
  return all;
}
