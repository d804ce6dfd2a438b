// Messages that are shown once, however often their cause comes up.

import { window } from "vscode";

export class Messages {
  private readonly said = new Map<string, string>();

  /** Shows a warning with ways out, unless this cause had the same text before; returns the way chosen. */
  async warn(cause: string, text: string, ...actions: string[]): Promise<string | undefined> {
    if (this.said.get(cause) === text) return undefined;
    this.said.set(cause, text);
    return window.showWarningMessage(`Nightschool: ${text}`, ...actions);
  }

  mended(cause: string): void {
    this.said.delete(cause);
  }
}
