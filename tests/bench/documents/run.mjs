// One run of a program: how long it took, what it computed, how much memory it held at most.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Ticks a second in /proc/PID/stat: fixed on Linux. */
const TICKS = 100;

/** Whether a program is there. @param {string} program */
export const present = (program) => spawnSync(program, ["--help"], { stdio: "ignore" }).error === undefined;

/**
 * @param {string} program @param {string[]} args @param {string} cwd
 * @param {number[]} fine codes that it may end with
 * @returns {Promise<{ seconds: number, cpu: number, peak: number }>} wall time and processor time in
 * seconds, and VmHWM in MiB; the last two as they were at the last look before the end
 */
export async function once(program, args, cwd, fine = [0]) {
  const start = process.hrtime.bigint();
  const child = spawn(program, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  child.stderr.on("data", (chunk) => (words = (words + chunk).slice(-2000)));
  let [peak, cpu] = [0, 0];
  const look = () => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      // The name stands in brackets and may hold blanks.
      const after = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
      cpu = Math.max(cpu, (Number(after[11]) + Number(after[12])) / TICKS);
    } catch {
      // It ended in between.
    }
  };
  const timer = setInterval(look, 5);
  const code = await new Promise((done, failed) => child.on("exit", done).on("error", failed));
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  clearInterval(timer);
  if (!fine.includes(code)) throw new Error(`${program} ${args.join(" ")} ended with ${code}\n${words}`);
  return { seconds, cpu, peak };
}
