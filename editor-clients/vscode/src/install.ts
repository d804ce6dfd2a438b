// Installing the server with what the machine has: uv, pipx, or Python's own venv.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ExtensionContext, window } from "vscode";
import { runWithProgress } from "./program";
import { packageToInstall } from "./settings";

const run = promisify(execFile);

/** Installs the server; returns whether that went well (else it was said what did not). */
export async function installServer(context: ExtensionContext): Promise<boolean> {
  const wanted = packageToInstall();
  if (await works("uv", "--version"))
    return runWithProgress("installing with uv", ["uv", "tool", "install", "--upgrade", wanted]);
  if (await works("pipx", "--version"))
    return runWithProgress("installing with pipx", ["pipx", "install", "--force", wanted]);
  const python = process.platform === "win32" ? "py" : "python3";
  if (!(await works(python, "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"))) {
    void window.showErrorMessage(
      "Nightschool: Python 3.11 or later with venv is needed, or uv, or pipx; install one of them and try again",
    );
    return false;
  }
  const folder = environment(context);
  return (
    (await runWithProgress("making an environment", [python, "-m", "venv", folder])) &&
    runWithProgress("installing", [
      join(folder, binaries, "python"),
      "-m",
      "pip",
      "install",
      "--upgrade",
      wanted,
    ])
  );
}

const binaries = process.platform === "win32" ? "Scripts" : "bin";

/** Where the server is installed if neither uv nor pipx is there. */
export function environment(context: ExtensionContext): string {
  return join(context.globalStorageUri.fsPath, "server");
}

export function installedProgram(context: ExtensionContext): string {
  return join(
    environment(context),
    binaries,
    process.platform === "win32" ? "nightschool.exe" : "nightschool",
  );
}

async function works(program: string, ...args: string[]): Promise<boolean> {
  try {
    await run(program, args, { timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}
