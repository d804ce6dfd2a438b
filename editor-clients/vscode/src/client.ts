// The connection to one server: started, restarted after a crash, and given up with one message.

import { type ChildProcess, spawn } from "node:child_process";
import type { LogOutputChannel } from "vscode";
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  ErrorCodes,
  LanguageClient,
  MessageType,
  type Middleware,
  ResponseError,
  RevealOutputChannelOn,
  type ShowMessageParams,
  State,
} from "vscode-languageclient/node";
import type { Server } from "./server";
import { serverSettings } from "./settings";

/** Crashes within this time count together. */
const MEMORY_MS = 180_000;
const MOST_CRASHES = 4;
const GOODBYE_MS = 2000;
/** What a request fails with when the server's end of the pipe is gone: before or after it was written. */
const GONE = new Set<number>([ErrorCodes.MessageWriteError, ErrorCodes.PendingResponseRejected]);
/** What a server that ends has written to stderr may still be on its way. */
const LAST_WORDS_MS = 100;

export interface Watcher {
  /** The server's `nightschool/status`. */
  status(status: ServerStatus): void;
  /** The server's `window/showMessage`. */
  told(message: string, severity: Severity): void;
  crashed(message: string, isFinal: boolean): void;
}

export type Severity = "error" | "warning" | "information";

export interface ServerStatus {
  state: "starting" | "ready" | "busy" | "off" | "error";
  message: string;
  remedy: string;
  model: string;
  adapter: string | null;
}

/** Writes to the log what the library would show as messages of its own beside ours. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export class Connection {
  readonly client: LanguageClient;
  private readonly name: string;
  private child: ChildProcess | undefined;
  private lastWords = "";
  private hasStarted = false;
  private isUnwanted = false;
  private crashes: number[] = [];
  /** The settings that the server has, as JSON. */
  private given = "";
  /** Called with why the server will not be ready. */
  private giveUp: (reason: Error) => void = () => undefined;

  constructor(
    private readonly server: Server,
    provide: Middleware["provideInlineCompletionItems"],
    private readonly watcher: Watcher,
    log: LogOutputChannel,
  ) {
    this.name = `${server.command.join(" ")} serve`;
    this.client = new QuietClient("nightschool", "Nightschool", () => this.spawn(), {
      documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-remote" }],
      initializationOptions: () => this.settings(),
      outputChannel: log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      middleware: { provideInlineCompletionItems: provide },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.closed(),
      },
    });
    // What has changed while it started: a workspace's settings may come later than the window.
    this.client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) void this.sendSettings();
    });
    this.client.onNotification("nightschool/status", (status: ServerStatus) => watcher.status(status));
    this.client.onNotification("window/showMessage", ({ message, type }: ShowMessageParams) =>
      watcher.told(message, severityOf(type)),
    );
  }

  /** Starts the server; throws when it ends before it has answered, or does not answer in time. */
  async start(limitSeconds: number): Promise<void> {
    const inVain = new Promise<never>((_, reject) => {
      this.giveUp = reject;
    });
    const late = new Error(`${this.name} has not answered for ${limitSeconds} seconds`);
    const timer = setTimeout(() => this.giveUp(late), 1000 * limitSeconds);
    try {
      await Promise.race([this.client.start().catch((error) => this.explained(error, inVain)), inVain]);
      this.hasStarted = true;
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** A connection that was closed or broke says nothing; the end of its process, which comes with it, says why. */
  private explained(error: unknown, end: Promise<never>): Promise<never> {
    return error instanceof ResponseError && GONE.has(error.code) ? end : Promise.reject(error);
  }

  async stop(): Promise<void> {
    this.isUnwanted = true;
    // A client that is still starting cannot be stopped: its server's end stops it.
    await this.client.dispose(GOODBYE_MS).catch(() => undefined);
    this.child?.kill();
  }

  /** Sends the settings, unless the server has them. */
  async sendSettings(): Promise<void> {
    if (!this.client.isRunning()) return;
    const before = this.given;
    const settings = this.settings();
    if (this.given !== before) {
      await this.client.sendNotification("workspace/didChangeConfiguration", { settings });
    }
  }

  private settings(): Record<string, unknown> {
    const settings = serverSettings();
    this.given = JSON.stringify(settings);
    return settings;
  }

  private async spawn(): Promise<ChildProcess> {
    const [command = "", ...args] = this.server.command;
    const child = spawn(command, [...args, "serve", "--stdio"]);
    this.child = child;
    this.lastWords = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.lastWords = text.trim().split("\n").at(-1) || this.lastWords;
    });
    child.on("exit", (code, signal) => {
      if (!this.hasStarted) setTimeout(() => this.giveUp(this.ended(signal ?? code)), LAST_WORDS_MS);
    });
    await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    return child;
  }

  private ended(by: string | number | null): Error {
    const words = this.lastWords && `: ${this.lastWords}`;
    return new Error(`${this.name} ended before it was ready (${by})${words}`);
  }

  /** Lets a server that ended by itself be started again; one that keeps ending is left alone. */
  private closed(): CloseHandlerResult {
    if (this.isUnwanted || !this.hasStarted) return { action: CloseAction.DoNotRestart, handled: true };
    const now = Date.now();
    this.crashes = [...this.crashes.filter((at) => now - at < MEMORY_MS), now];
    const isFinal = this.crashes.length > MOST_CRASHES;
    this.watcher.crashed(
      isFinal
        ? `the server ended ${this.crashes.length} times in ${MEMORY_MS / 60_000} minutes`
        : "the server ended and was restarted",
      isFinal,
    );
    return { action: isFinal ? CloseAction.DoNotRestart : CloseAction.Restart, handled: true };
  }
}

function severityOf(type: MessageType): Severity {
  if (type === MessageType.Error) return "error";
  return type === MessageType.Warning ? "warning" : "information";
}
