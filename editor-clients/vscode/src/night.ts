// Training, rolling back, snoozing: the server does it; here it is asked for, shown and cancelled.

import { randomUUID } from "node:crypto";
import { type CancellationToken, CancellationTokenSource, ProgressLocation, window } from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

/** A night of this window's: at most one at a time. */
export class Training {
  private running: CancellationTokenSource | undefined;

  /** `onPercentage` is told how far the night is, and undefined when it has ended. */
  constructor(private readonly onPercentage: (percentage: number | undefined) => void) {}

  /** Asks the server for a night now, with its progress beside a cancel button; the server tells the verdict. */
  async train(client: LanguageClient): Promise<void> {
    if (this.running) {
      void window.showInformationMessage("Nightschool: a night is running already");
      return;
    }
    const running = new CancellationTokenSource();
    this.running = running;
    this.onPercentage(0);
    try {
      await window.withProgress(
        { location: ProgressLocation.Notification, title: "Nightschool: learning", cancellable: true },
        async (progress, token) => {
          token.onCancellationRequested(() => running.cancel());
          await this.follow(client, running.token, (message, increment) =>
            progress.report({ message, increment }),
          );
        },
      );
    } finally {
      this.running = undefined;
      running.dispose();
      this.onPercentage(undefined);
    }
  }

  cancel(): void {
    this.running?.cancel();
  }

  private async follow(
    client: LanguageClient,
    token: CancellationToken,
    report: (message: string | undefined, increment: number) => void,
  ): Promise<void> {
    const { WorkDoneProgress } = await protocol();
    const workDoneToken = randomUUID();
    let last = 0;
    const listening = client.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
      if (value.kind !== "report") return;
      const percentage = Math.max(last, value.percentage ?? 0);
      report(value.message, percentage - last);
      last = percentage;
      this.onPercentage(percentage);
    });
    try {
      await execute(client, "nightschool.train", [], { workDoneToken }, token);
      if (token.isCancellationRequested)
        void window.showInformationMessage("Nightschool: cancelled; the next night goes on from here");
    } finally {
      listening.dispose();
    }
  }
}

export async function rollBack(client: LanguageClient): Promise<void> {
  await execute(client, "nightschool.rollback");
}

export async function snooze(client: LanguageClient, minutes?: number): Promise<void> {
  await execute(client, "nightschool.snooze", minutes === undefined ? [] : [minutes]);
}

/** Runs a command of the server's; its refusal is shown in its own words. */
async function execute(
  client: LanguageClient,
  command: string,
  args: unknown[] = [],
  more: object = {},
  token?: CancellationToken,
): Promise<void> {
  const { ExecuteCommandRequest } = await protocol();
  try {
    await client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args, ...more }, token);
  } catch (error) {
    const refusal = await refusalOf(error);
    if (refusal) void window.showWarningMessage(`Nightschool: ${refusal}`);
  }
}

/** Returns what the server refused with; that it was cancelled or has gone is told elsewhere. */
async function refusalOf(error: unknown): Promise<string | undefined> {
  const { ErrorCodes, LSPErrorCodes, ResponseError } = await protocol();
  const toldElsewhere: readonly number[] = [
    LSPErrorCodes.RequestCancelled,
    ErrorCodes.PendingResponseRejected,
    ErrorCodes.ConnectionInactive,
  ];
  if (!(error instanceof ResponseError) || toldElsewhere.includes(error.code)) return undefined;
  return error.message;
}

/** Loaded with the first server: VS Code and its other extensions wait for what activation loads. */
function protocol(): Promise<typeof import("vscode-languageclient/node")> {
  return import("vscode-languageclient/node");
}
