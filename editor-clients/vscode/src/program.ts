// Runs the `nightschool` command and installers, beside the language server.

import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { type CancellationToken, ProgressLocation, window } from "vscode";

const run = promisify(execFile);
const PATIENCE_MS = 30_000;

/** Returns what a command prints; empty where it has nothing to say (exit code 3). */
export async function readText(command: readonly string[]): Promise<string> {
  const [program = "", ...args] = command;
  try {
    return (await run(program, args, { timeout: PATIENCE_MS, maxBuffer: 64 * 2 ** 20 })).stdout;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === 3) return "";
    throw error;
  }
}

/** Returns what a command prints as JSON; undefined where it has nothing to say. */
export async function readJson<T>(command: readonly string[]): Promise<T | undefined> {
  const text = await readText(command);
  return text ? (JSON.parse(text) as T) : undefined;
}

/** Runs a long command with its last line as progress; returns whether it ended well. */
export async function runWithProgress(title: string, command: readonly string[]): Promise<boolean> {
  const found = await window.withProgress(
    { location: ProgressLocation.Notification, title: `Nightschool: ${title}`, cancellable: true },
    (progress, token) => follow(command, (message) => progress.report({ message }), token),
  );
  if (found.code !== 0 && found.code !== 3 && !found.isCancelled) {
    void window.showErrorMessage(`Nightschool: ${title} failed: ${found.lastLine}`);
  }
  return found.code === 0 || found.code === 3;
}

interface Ended {
  code: number | null;
  lastLine: string;
  isCancelled: boolean;
}

function follow(
  command: readonly string[],
  onLine: (line: string) => void,
  token: CancellationToken,
): Promise<Ended> {
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let lastLine = "";
    const read = (text: string) => {
      const line = text
        .split(/[\r\n]+/)
        .filter((each) => each.trim())
        .at(-1);
      if (!line) return;
      lastLine = line.trim();
      onLine(lastLine);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    const cancelling = token.onCancellationRequested(() => child.kill("SIGINT"));
    const end = (code: number | null) => {
      cancelling.dispose();
      resolve({ code, lastLine, isCancelled: token.isCancellationRequested });
    };
    child.on("error", (error) => {
      lastLine = error.message;
      end(1);
    });
    child.on("close", end);
  });
}
