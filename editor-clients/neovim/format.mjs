// node format.mjs [--check] [FOLDER]: format this plugin's Lua with StyLua as WebAssembly (npm package @johnnymorganz/stylua, looked
// for in FOLDER), in the manner of stylua.toml. With --check nothing is written, and a file that would change is an error.

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const words = process.argv.slice(2);
const check = words.includes("--check");
const folder = resolve(words.find((word) => !word.startsWith("-")) ?? ".");
const stylua = createRequire(join(folder, "package.json"))("@johnnymorganz/stylua");
const here = dirname(fileURLToPath(import.meta.url));

const ENUMS = { indent_type: stylua.IndentType, quote_style: stylua.QuoteStyle };
const settings = [...readFileSync(join(here, "stylua.toml"), "utf8").matchAll(/^(\w+) = "?(\w+)"?$/gm)];

function configuration() {
  const config = stylua.Config.new();
  for (const [, name, value] of settings) config[name] = name in ENUMS ? ENUMS[name][value] : Number(value);
  return config;
}

for (const file of globSync("{lua,plugin}/**/*.lua", { cwd: here })) {
  const path = join(here, file);
  const before = readFileSync(path, "utf8");
  const after = stylua.formatCode(before, configuration(), undefined, stylua.OutputVerification.None);
  if (after === before) continue;
  console.log(file);
  if (check) process.exitCode = 1;
  else writeFileSync(path, after);
}
