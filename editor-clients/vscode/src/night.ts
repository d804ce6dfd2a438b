// Training, rolling back, snoozing: the server does it; here it is asked for, shown and cancelled.

import { randomUUID } from "node:crypto";
import { type CancellationToken, CancellationTokenSource, ProgressLocation, window } from "vscode";
import {
  ErrorCodes,
  ExecuteCommandRequest,
  type LanguageClient,
  LSPErrorCodes,
  ResponseError,
  WorkDoneProgress,
} from "vscode-languageclient/node";

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
  try {
    await client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args, ...more }, token);
  } catch (error) {
    if (!isRefusal(error)) return;
    void window.showWarningMessage(`Nightschool: ${error.message}`);
  }
}

/** Told elsewhere: that it was cancelled, and that the server has gone. */
const NO_REFUSALS: readonly number[] = [
  LSPErrorCodes.RequestCancelled,
  ErrorCodes.PendingResponseRejected,
  ErrorCodes.ConnectionInactive,
];

function isRefusal(error: unknown): error is ResponseError<unknown> {
  return error instanceof ResponseError && !NO_REFUSALS.includes(error.code);
}
