// Where the server's program is, and whether it is one that this client can speak to.

import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The oldest server that speaks this client's protocol. */
export const OLDEST: readonly [number, number] = [0, 1];
/** A Python program that starts slowly is still answered; one that never answers is not waited for. */
const PATIENCE_MS = 20_000;

export interface Server {
  /** The program and its arguments before `serve`. */
  command: string[];
  version: string;
}

export class ServerError extends Error {}

/** Returns the server to run: the one that is configured, else the first found. */
export async function findServer(configured: readonly string[]): Promise<Server | undefined> {
  if (configured.length > 0) return checked([...configured]);
  for (const program of places()) {
    if (await isExecutable(program)) return checked([program]);
  }
  return undefined;
}

/** Where `nightschool` may be: `PATH`, then where pipx and uv put programs by default. */
export function places(environment: NodeJS.ProcessEnv = process.env): string[] {
  const name = process.platform === "win32" ? "nightschool.exe" : "nightschool";
  const folders = (environment.PATH ?? "").split(delimiter).filter(Boolean);
  const named = [environment.PIPX_BIN_DIR, environment.UV_TOOL_BIN_DIR, environment.XDG_BIN_HOME];
  const usual = [join(homedir(), ".local", "bin"), join(homedir(), "bin")];
  return [...folders, ...named.filter((folder) => folder !== undefined), ...usual].map((folder) =>
    join(folder, name),
  );
}

async function checked(command: string[]): Promise<Server> {
  const [program, ...rest] = command;
  if (program === undefined) throw new ServerError("nightschool.server.command is empty");
  let output: string;
  try {
    output = (await run(program, [...rest, "--version"], { timeout: PATIENCE_MS })).stdout;
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new ServerError(`${command.join(" ")} does not answer to --version (${reason})`);
  }
  const found = /^nightschool (\d+)\.(\d+)\S*/m.exec(output);
  if (!found) throw new ServerError(`${command.join(" ")} is not Nightschool: it says «${output.trim()}»`);
  const [major, minor] = [Number(found[1]), Number(found[2])];
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new ServerError(`${found[0]} is too old; this extension needs ${OLDEST.join(".")} or later`);
  }
  return { command, version: found[0] };
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
