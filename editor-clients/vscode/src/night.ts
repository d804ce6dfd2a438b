// Training and rolling back: the server does it, shows its progress, and tells the verdict.

import { window } from "vscode";
import { ExecuteCommandRequest, type LanguageClient, ResponseError } from "vscode-languageclient/node";

/** Asks the server for a night now. Progress (with its cancel button) and verdict come from the server. */
export async function train(client: LanguageClient): Promise<void> {
  await execute(client, "nightschool.train");
}

export async function rollBack(client: LanguageClient): Promise<void> {
  await execute(client, "nightschool.rollback");
}

export async function snooze(client: LanguageClient, minutes?: number): Promise<void> {
  await execute(client, "nightschool.snooze", minutes === undefined ? [] : [minutes]);
}

async function execute(client: LanguageClient, command: string, args: unknown[] = []): Promise<unknown> {
  try {
    return await client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args });
  } catch (error) {
    const reason = error instanceof ResponseError || error instanceof Error ? error.message : String(error);
    void window.showWarningMessage(`Nightschool: ${reason}`);
    return undefined;
  }
}
