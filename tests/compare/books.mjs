// The four books, where they come from, and how a copy of one is made ready to be built. `main` asks.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

/** `tools`: preprocessors of the book's own, by name: the folder of their crate and the binary. */
export const BOOKS = [
  {
    name: "book",
    repository: "rust-lang/book",
    commit: "917544888a55e4da7109bdba8c88c893c0da70f4",
    tools: {
      "trpl-note": ["packages/mdbook-trpl", "mdbook-trpl-note"],
      "trpl-listing": ["packages/mdbook-trpl", "mdbook-trpl-listing"],
    },
  },
  {
    name: "reference",
    repository: "rust-lang/reference",
    commit: "3b38834b39f732c64686f7c64aa29dcf3cd83ba5",
    tools: { spec: ["tools/mdbook-spec", "mdbook-spec"] },
  },
  {
    name: "rustc-dev-guide",
    repository: "rust-lang/rustc-dev-guide",
    commit: "2cbf04342b4611800be07d4942db42be824cd899",
    tools: {},
  },
  {
    name: "comprehensive-rust",
    repository: "google/comprehensive-rust",
    commit: "351fafafa965cba8e45a3136b8ff6022bba9942b",
    tools: { course: ["mdbook-course", "mdbook-course"] },
    // Its preprocessor takes the front matter away; without it mdBook shows that as a heading.
    frontMatter: true,
  },
];

const MINUTES = 60 * 1000;
const CLONE_MAX = 5 * MINUTES;
const COMPILE_MAX = 15 * MINUTES;
const BUILD_MAX = 5 * MINUTES;

/** Runs a command to its end; `{ ok, said }`. */
export function run(command, words, options = {}) {
  const done = spawnSync(command, words, {
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    timeout: BUILD_MAX,
    killSignal: "SIGKILL",
    ...options,
  });
  const said = `${done.stdout ?? ""}${done.stderr ?? ""}${done.error ? done.error.message : ""}`;
  return { ok: done.status === 0, status: done.status, said };
}

/** The folder with a book's source: downloaded, or found below `from`. */
export function source(book, work, from) {
  if (from) {
    const names = [book.repository.replace("/", "+"), book.name, book.repository];
    const found = names.map((name) => path.join(from, name)).find((dir) => fs.existsSync(path.join(dir, "book.toml")));
    if (!found) throw new Error(`no folder \`${names[0]}\` with a book.toml in ${from}`);
    return found;
  }
  const dir = path.join(work, "sources", book.name);
  if (fs.existsSync(path.join(dir, "book.toml"))) return dir;
  fs.mkdirSync(dir, { recursive: true });
  const url = `https://github.com/${book.repository}`;
  for (const words of [["init", "-q"], ["fetch", "-q", "--depth", "1", url, book.commit], ["checkout", "-q", "FETCH_HEAD"]]) {
    const done = run("git", words, { cwd: dir, timeout: CLONE_MAX });
    if (!done.ok) {
      fs.rmSync(dir, { recursive: true });
      throw new Error(`git ${words[0]} ${url}: ${done.said.trim()}`);
    }
  }
  return dir;
}

/** Compiles a book's own preprocessors; name to program, or the reason why there are none. */
export function tools(book, dir, work, given) {
  const found = {};
  for (const [name, [crate, binary]] of Object.entries(book.tools)) {
    const target = given ?? path.join(work, "tools", "debug");
    const program = path.resolve(target, binary);
    if (!given && !fs.existsSync(program)) {
      const words = ["build", "--quiet", "--manifest-path", path.join(dir, crate, "Cargo.toml")];
      const env = { ...process.env, CARGO_TARGET_DIR: path.resolve(work, "tools"), CARGO_PROFILE_DEV_DEBUG: "0" };
      run("cargo", words, { env, timeout: COMPILE_MAX });
    }
    if (!fs.existsSync(program)) return { missing: binary };
    found[name] = program;
  }
  return { found };
}

/**
 * Copies a book, and takes out of its `book.toml` the renderers other than HTML, and the
 * preprocessors that stand in none of the four repositories. `{ used, left }`: names of the
 * preprocessors that stay, and of those that were taken out.
 */
export function copy(dir, to, programs) {
  fs.rmSync(to, { recursive: true, force: true });
  const keep = (from) => ![".git", "target", "book"].includes(path.relative(dir, from));
  fs.cpSync(dir, to, { recursive: true, filter: keep, verbatimSymlinks: true });
  const file = path.join(to, "book.toml");
  let skip = false;
  const lines = [];
  const [used, left] = [[], []];
  for (const line of fs.readFileSync(file, "utf8").split("\n")) {
    const table = line.match(/^\[\[?\s*([^\]]*?)\s*\]/);
    if (table) {
      const [kind, name] = table[1].split(".");
      skip = (kind === "output" && name !== "html") || (kind === "preprocessor" && !programs[name]);
      if (kind === "preprocessor" && name) (skip ? left : used).push(name);
      if (kind === "preprocessor" && !skip) {
        lines.push(line, `command = ${JSON.stringify(programs[name])}`);
        continue;
      }
    }
    const older = /^(command|after|before)\s*=/.test(line) && /^command = "\//.test(lines.at(-1) ?? "");
    if (!skip && !older) lines.push(line);
  }
  fs.writeFileSync(file, lines.join("\n"));
  return { used, left };
}

/** Takes the front matter out of all pages, as the book's own preprocessor would. */
export function dropFrontMatter(dir) {
  for (const entry of fs.readdirSync(path.join(dir, "src"), { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (!entry.isFile() || !file.endsWith(".md")) continue;
    const text = fs.readFileSync(file, "utf8");
    const rest = text.replace(/^---\n[\s\S]*?\n---\n/, "");
    if (rest !== text) fs.writeFileSync(file, rest);
  }
}

/** mdBook 0.5.4: a path that was given, or installed through cargo below `work`. */
export function mdbook(work, given) {
  if (given) return path.resolve(given);
  const program = path.resolve(work, "bin", "mdbook");
  if (!fs.existsSync(program)) {
    const words = ["install", "--quiet", "--locked", "--root", path.resolve(work), "mdbook@0.5.4"];
    const done = run("cargo", words, { timeout: COMPILE_MAX });
    if (!done.ok) throw new Error(`cargo install mdbook: ${done.said.trim()}`);
  }
  return program;
}

/** Loggia: a path that was given, or the release binary of this repository. */
export function loggia(given) {
  if (given) return path.resolve(given);
  const done = run("cargo", ["build", "--quiet", "--release", "-p", "loggia"], { timeout: COMPILE_MAX });
  if (!done.ok) throw new Error(`cargo build -p loggia: ${done.said.trim()}`);
  return path.resolve(process.env.CARGO_TARGET_DIR ?? "target", "release", "loggia");
}
