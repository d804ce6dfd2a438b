// The connection to one server: started, restarted after a crash, and given up with one message.

import { type ExtensionContext, type OutputChannel, window } from "vscode";
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  RevealOutputChannelOn,
} from "vscode-languageclient/node";
import type { Server } from "./server";
import { serverSettings } from "./settings";

/** A server that has not answered by then hangs: the machine is not that slow. */
const START_MS = 30_000;
/** Crashes within this time count together. */
const MEMORY_MS = 180_000;
const MOST_CRASHES = 4;

export interface Watcher {
  /** The server's `nightschool/status`. */
  status(status: ServerStatus): void;
  crashed(message: string, isFinal: boolean): void;
}

export interface ServerStatus {
  state: "starting" | "ready" | "busy" | "off" | "error";
  message: string;
  remedy: string;
  model: string;
  adapter: string | null;
}

/** Starts `server`; throws when it does not answer in time. */
export async function connect(
  context: ExtensionContext,
  server: Server,
  provide: Middleware["provideInlineCompletionItems"],
  watcher: Watcher,
  log: OutputChannel,
): Promise<LanguageClient> {
  const [command = "nightschool", ...args] = server.command;
  const options: LanguageClientOptions = {
    documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-remote" }],
    initializationOptions: serverSettings(),
    outputChannel: log as LanguageClientOptions["outputChannel"],
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    middleware: { provideInlineCompletionItems: provide },
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: crashHandler(watcher),
    },
  };
  const executable = { command, args: [...args, "serve", "--stdio"] };
  const client = new LanguageClient("nightschool", "Nightschool", executable, options);
  client.onNotification("nightschool/status", (status: ServerStatus) => watcher.status(status));
  context.subscriptions.push(client);
  await inTime(client, `${server.command.join(" ")} serve`);
  return client;
}

async function inTime(client: LanguageClient, name: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${name} has not answered for ${START_MS / 1000} seconds`)),
      START_MS,
    );
  });
  try {
    await Promise.race([client.start(), late]);
  } catch (error) {
    void client.stop(1000).catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Restarts a server that ended by itself; one that keeps ending is left alone. */
function crashHandler(watcher: Watcher): () => CloseHandlerResult {
  let crashes: number[] = [];
  return () => {
    const now = Date.now();
    crashes = [...crashes.filter((at) => now - at < MEMORY_MS), now];
    const isFinal = crashes.length > MOST_CRASHES;
    watcher.crashed(
      isFinal
        ? `the server ended ${crashes.length} times in ${MEMORY_MS / 60_000} minutes`
        : "the server ended and was restarted",
      isFinal,
    );
    return { action: isFinal ? CloseAction.DoNotRestart : CloseAction.Restart, handled: true };
  };
}

/** Says something once per cause, with one way out. */
export class Messages {
  private readonly said = new Set<string>();

  async warn(cause: string, text: string, ...actions: string[]): Promise<string | undefined> {
    if (this.said.has(cause)) return undefined;
    this.said.add(cause);
    return window.showWarningMessage(`Nightschool: ${text}`, ...actions);
  }

  mended(cause: string): void {
    this.said.delete(cause);
  }
}
