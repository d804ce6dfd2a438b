// Starts the server and connects the editor's commands to it.

import { join } from "node:path";
import { commands, type ExtensionContext, type LogOutputChannel, Uri, window, workspace } from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import type { Connection, ServerStatus, Severity } from "./client";
import { installedProgram, installServer } from "./install";
import { Messages } from "./messages";
import { rollBack, snooze, Training } from "./night";
import { Offers } from "./offers";
import { readJson, runWithProgress } from "./program";
import { showReport } from "./report";
import { findServer, type Server } from "./server";
import { ownSettings } from "./settings";
import { StatisticsPage } from "./statistics";
import { StatusBar } from "./status";
import { toggle, toggleFile, toggleLanguage } from "./toggle";
import { openWalkthrough, welcome } from "./walkthrough";

class Nightschool {
  private connection: Connection | undefined;
  private server: Server | undefined;
  private starting: Promise<void> | undefined;
  private readonly messages = new Messages();
  private readonly bar = new StatusBar();
  private readonly offers = new Offers(() => this.connection?.client);
  private readonly training = new Training((percentage) => this.bar.showTraining(percentage));
  private readonly statistics = new StatisticsPage();
  private readonly log: LogOutputChannel = window.createOutputChannel("Nightschool", { log: true });

  constructor(private readonly context: ExtensionContext) {
    context.subscriptions.push(this.bar, this.offers, this.statistics, this.log);
    const registered: Record<string, (argument?: unknown) => unknown> = {
      "nightschool.menu": () => this.bar.menu(),
      "nightschool.toggle": toggle,
      "nightschool.toggleLanguage": toggleLanguage,
      "nightschool.toggleFile": toggleFile,
      "nightschool.snoozeFor": (minutes) => this.withClient((client) => this.snooze(client, minutes)),
      "nightschool.trainNow": () => this.withClient((client) => this.training.train(client)),
      "nightschool.cancelTraining": () => this.training.cancel(),
      "nightschool.rollBack": () => this.withClient(rollBack),
      "nightschool.report": () => this.withServer((server) => showReport(server.command)),
      "nightschool.statistics": () => this.withServer((server) => this.statistics.show(server.command)),
      "nightschool.log": () => this.withServer((server) => this.openLog(server)),
      "nightschool.restart": () => this.start(),
      "nightschool.installServer": async () => (await installServer(context)) && this.start(),
      "nightschool.getModel": () => this.withServer((server) => this.getModel(server)),
      "nightschool.walkthrough": openWalkthrough,
    };
    for (const [name, action] of Object.entries(registered)) {
      context.subscriptions.push(commands.registerCommand(name, action));
    }
    context.subscriptions.push(
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("nightschool.server")) void this.start();
        else if (change.affectsConfiguration("nightschool")) void this.connection?.sendSettings();
      }),
    );
  }

  /** Finds and starts the server anew; what goes wrong is said once, with the way out. */
  start(): Promise<void> {
    this.starting = (this.starting ?? Promise.resolve()).then(() => this.startNow());
    return this.starting;
  }

  /** Waits for no answer to a message: the next start must not wait for one that nobody reads. */
  private async startNow(): Promise<void> {
    await this.stop();
    this.bar.show(trouble("starting", ""));
    const settings = ownSettings((problem) => void this.messages.warn(problem, problem));
    try {
      this.server = await this.find(settings.command);
      if (!this.server) {
        this.bar.show(trouble("error", "the server is not installed", "pipx install nightschool"));
        void this.offerInstallation();
        return;
      }
      // Loaded here: VS Code and its other extensions wait for what activation loads.
      const { Connection } = await import("./client.js");
      const connection = new Connection(this.server, this.offers.provide, this, this.log);
      this.connection = connection;
      await connection.start(settings.startTimeout);
    } catch (error) {
      this.connection = undefined;
      const reason = error instanceof Error ? error.message : String(error);
      this.log.error(reason);
      this.bar.show(trouble("error", reason));
      void this.offerRetry(reason);
      return;
    }
    this.messages.mended("start");
    this.messages.mended("server");
    await commands.executeCommand("setContext", "nightschool.running", true);
  }

  private async find(configured: readonly string[]): Promise<Server | undefined> {
    return (
      (await findServer(configured)) ??
      (await findServer([installedProgram(this.context)]).catch(() => undefined))
    );
  }

  private async offerRetry(reason: string): Promise<void> {
    const choice = await this.messages.warn("start", reason, "Try again", "Show the log");
    if (choice === "Try again") {
      this.messages.mended("start");
      void this.start();
    }
    if (choice === "Show the log") this.log.show();
  }

  private async offerInstallation(): Promise<void> {
    const choice = await this.messages.warn(
      "server",
      "its server is not installed",
      "Install it",
      "Choose a command",
    );
    if (choice) this.messages.mended("server");
    if (choice === "Install it") await commands.executeCommand("nightschool.installServer");
    if (choice === "Choose a command") {
      await commands.executeCommand("workbench.action.openSettings", "nightschool.server.command");
    }
  }

  async stop(): Promise<void> {
    const connection = this.connection;
    this.connection = undefined;
    await commands.executeCommand("setContext", "nightschool.running", false);
    await connection?.stop();
  }

  status(status: ServerStatus): void {
    this.bar.show(status);
    void commands.executeCommand("setContext", "nightschool.ready", status.state === "ready");
    if (modelToGet(status)) void this.offerModel(status);
    else if (status.state === "ready") this.messages.mended("model");
  }

  private async offerModel(status: ServerStatus): Promise<void> {
    const choice = await this.messages.warn(
      "model",
      `there is no model yet (${modelToGet(status)})`,
      "Get it",
    );
    if (!choice) return;
    this.messages.mended("model");
    await commands.executeCommand("nightschool.getModel");
  }

  told(message: string, severity: Severity): void {
    // Said by `offerModel` already, with a button.
    if (modelToGet(this.bar.status) && message.includes(this.bar.status.remedy)) return;
    if (severity === "error") void window.showErrorMessage(message);
    else if (severity === "warning") void window.showWarningMessage(message);
    else void window.showInformationMessage(message);
  }

  crashed(message: string, isFinal: boolean): void {
    this.log.warn(message);
    this.bar.show(trouble(isFinal ? "error" : "starting", message));
    const actions = isFinal ? ["Restart", "Show the log"] : ["Show the log"];
    void this.messages.warn(isFinal ? "gone" : "crash", message, ...actions).then((choice) => {
      if (choice === "Restart") {
        this.messages.mended("gone");
        void this.start();
      }
      if (choice === "Show the log") void commands.executeCommand("nightschool.log");
    });
  }

  private async getModel(server: Server): Promise<void> {
    const model = modelToGet(this.bar.status);
    const title = `getting ${model ?? "the model"}`;
    await runWithProgress(title, [...server.command, "model", "get", ...(model ? [model] : [])]);
  }

  private async snooze(client: LanguageClient, minutes: unknown): Promise<void> {
    if (typeof minutes === "number") return snooze(client, minutes);
    const choice = await window.showQuickPick(["5 minutes", "30 minutes", "60 minutes"], { title: "Snooze" });
    if (choice) await snooze(client, Number.parseInt(choice, 10));
  }

  private async openLog(server: Server): Promise<void> {
    const status = await readJson<{ home: string }>([...server.command, "status", "--json"]);
    if (!status) return this.log.show();
    try {
      await window.showTextDocument(Uri.file(join(status.home, "server.log")));
    } catch {
      this.log.show();
    }
  }

  private async withClient(action: (client: LanguageClient) => unknown): Promise<void> {
    await this.starting;
    const client = this.connection?.client;
    if (client?.isRunning()) await action(client);
    else void window.showWarningMessage(`Nightschool is not running: ${this.bar.status.message}`);
  }

  private async withServer(action: (server: Server) => unknown): Promise<void> {
    await this.starting;
    if (!this.server) {
      void window.showWarningMessage(`Nightschool is not running: ${this.bar.status.message}`);
      return;
    }
    try {
      await action(this.server);
    } catch (error) {
      void window.showErrorMessage(`Nightschool: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function trouble(state: ServerStatus["state"], message: string, remedy = ""): ServerStatus {
  return { state, message, remedy, model: "", adapter: null };
}

/** Returns the name of the model that is missing and can be had. */
function modelToGet(status: ServerStatus): string | undefined {
  return /^nightschool model get (\S+)$/.exec(status.remedy)?.[1];
}

let running: Nightschool | undefined;

export function activate(context: ExtensionContext): void {
  running = new Nightschool(context);
  // Not awaited: other extensions wait for this function.
  void running.start();
  void welcome(context);
}

export async function deactivate(): Promise<void> {
  await running?.stop();
}
