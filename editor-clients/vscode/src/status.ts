// The status bar item and its menu.

import {
  commands,
  type Disposable,
  type QuickPickItem,
  QuickPickItemKind,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
  workspace,
} from "vscode";
import type { ServerStatus } from "./client";
import { isLanguageOn } from "./toggle";

const ICONS: Record<ServerStatus["state"], string> = {
  starting: "$(loading~spin)",
  ready: "$(mortar-board)",
  busy: "$(mortar-board)",
  off: "$(circle-slash)",
  error: "$(warning)",
};

interface Choice extends QuickPickItem {
  command?: string;
  argument?: unknown;
}

export class StatusBar implements Disposable {
  private readonly item: StatusBarItem;
  private last: ServerStatus = { state: "starting", message: "", remedy: "", model: "", adapter: null };

  constructor() {
    this.item = window.createStatusBarItem("nightschool.status", StatusBarAlignment.Right, 100);
    this.item.name = "Nightschool";
    this.item.command = "nightschool.menu";
    this.show(this.last);
    this.item.show();
  }

  dispose(): void {
    this.item.dispose();
  }

  get status(): ServerStatus {
    return this.last;
  }

  show(status: ServerStatus): void {
    this.last = status;
    this.item.text = `${ICONS[status.state]} Nightschool`;
    this.item.tooltip = describe(status);
    this.item.accessibilityInformation = { label: `Nightschool: ${describe(status)}` };
    this.item.backgroundColor =
      status.state === "error" ? new ThemeColor("statusBarItem.warningBackground") : undefined;
  }

  async menu(): Promise<void> {
    const choice = await window.showQuickPick(this.choices(), {
      title: "Nightschool",
      placeHolder: describe(this.last),
    });
    if (choice?.command) await commands.executeCommand(choice.command, choice.argument);
  }

  private choices(): Choice[] {
    const isOn = workspace.getConfiguration("nightschool").get("enabled", true);
    const language = window.activeTextEditor?.document.languageId;
    const separator = (label: string): Choice => ({ label, kind: QuickPickItemKind.Separator });
    const isSnoozed = this.last.state === "off" && this.last.message === "snoozed";
    return [
      ...(this.last.remedy || this.last.state === "error"
        ? [
            { label: "$(tools) Get the model", command: "nightschool.getModel" },
            { label: "$(debug-restart) Restart the server", command: "nightschool.restart" },
          ]
        : []),
      separator("ghost text"),
      {
        label: isOn ? "$(circle-slash) Turn off everywhere" : "$(check) Turn on",
        command: "nightschool.toggle",
      },
      ...(language && isOn
        ? [
            {
              label: isLanguageOn(language)
                ? `$(circle-slash) Turn off for ${language}`
                : `$(check) Turn on for ${language}`,
              command: "nightschool.toggleLanguage",
            },
            { label: "$(file) Turn on or off for this file", command: "nightschool.toggleFile" },
          ]
        : []),
      ...(isSnoozed
        ? [{ label: "$(bell) End the snooze", command: "nightschool.snoozeFor", argument: 0 }]
        : [5, 30, 60].map((minutes) => ({
            label: `$(bell-slash) Snooze for ${minutes} minutes`,
            command: "nightschool.snoozeFor",
            argument: minutes,
          }))),
      separator("learning"),
      { label: "$(mortar-board) Train now", command: "nightschool.trainNow" },
      { label: "$(discard) Roll back to the adapter before", command: "nightschool.rollBack" },
      { label: "$(graph) Open the report", command: "nightschool.report" },
      { label: "$(list-ordered) Show statistics", command: "nightschool.statistics" },
      separator("help"),
      { label: "$(output) Show the log", command: "nightschool.log" },
      {
        label: "$(gear) Settings",
        command: "workbench.action.openSettings",
        argument: "@ext:nightschool.nightschool",
      },
    ];
  }
}

/** Says in one line what the server does and with what. */
export function describe(status: ServerStatus): string {
  const adapter = status.adapter ? `, adapter ${status.adapter}` : "";
  const model = status.model ? `: ${status.model}${adapter}` : "";
  const trouble = status.message
    ? ` (${status.message}${status.remedy ? `; run: ${status.remedy}` : ""})`
    : "";
  return `${status.state}${model}${trouble}`;
}
