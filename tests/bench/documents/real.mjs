// A book that somebody wrote, as both Loggia and mdBook can build it without its authors' tools.
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

/** Folders that are no part of the text. */
const LEFT_OUT = new Set([".git", "target", "node_modules"]);

/**
 * Copies the book at `from` to `to`. Preprocessors and outputs that are programs of their own are
 * taken out of its book.toml, for both alike: most machines do not have them.
 * @param {string} from @param {string} to
 * @returns {number} Markdown files
 */
export function copyBook(from, to) {
  const built = resolve(from, "book");
  cpSync(from, to, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) && !(resolve(path) === built && existsSync(join(path, "index.html"))) });
  const toml = join(to, "book.toml");
  let keep = true;
  const lines = readFileSync(toml, "utf8").split("\n").filter((line) => {
    const table = /^\s*\[+\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    if (table) keep = !(/^preprocessor\./.test(table) || (/^output\./.test(table) && !/^output\.html\b/.test(table)));
    return keep;
  });
  writeFileSync(toml, lines.join("\n"));
  return readdirSync(to, { recursive: true }).filter((name) => String(name).endsWith(".md")).length;
}
