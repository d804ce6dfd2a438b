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
import { isFileOn, isLanguageOn } from "./toggle";

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
  private percentage: number | undefined;
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
    const training = this.percentage === undefined ? "" : ` ${this.percentage} %`;
    const description = `${describe(status)}${training && `, training${training}`}`;
    this.item.text = `${ICONS[status.state]} Nightschool${training}`;
    this.item.tooltip = description;
    this.item.accessibilityInformation = { label: `Nightschool: ${description}` };
    this.item.backgroundColor =
      status.state === "error" ? new ThemeColor("statusBarItem.warningBackground") : undefined;
  }

  /** How far a night is; undefined when there is none. */
  showTraining(percentage: number | undefined): void {
    this.percentage = percentage;
    this.show(this.last);
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
    const isOnHere = isFileOn();
    const language = window.activeTextEditor?.document.languageId;
    const separator = (label: string): Choice => ({ label, kind: QuickPickItemKind.Separator });
    const isSnoozed = this.last.state === "off" && this.last.message === "snoozed";
    return [
      ...(this.last.remedy.startsWith("nightschool model get")
        ? [{ label: "$(cloud-download) Get the model", command: "nightschool.getModel" }]
        : []),
      ...(this.last.state === "error"
        ? [{ label: "$(debug-restart) Restart the server", command: "nightschool.restart" }]
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
          ]
        : []),
      ...(isOn && isOnHere !== undefined
        ? [
            {
              label: isOnHere ? "$(circle-slash) Turn off for this file" : "$(check) Turn on for this file",
              command: "nightschool.toggleFile",
            },
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
      this.percentage === undefined
        ? { label: "$(mortar-board) Train now", command: "nightschool.trainNow" }
        : { label: "$(debug-stop) Cancel the training", command: "nightschool.cancelTraining" },
      { label: "$(discard) Roll back to the adapter before", command: "nightschool.rollBack" },
      { label: "$(graph) Open the report", command: "nightschool.report" },
      { label: "$(list-ordered) Show statistics", command: "nightschool.statistics" },
      separator("help"),
      { label: "$(book) Get started", command: "nightschool.walkthrough" },
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
