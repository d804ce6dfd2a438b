// Starts the server and connects the editor's commands to it.

import { join } from "node:path";
import { commands, type ExtensionContext, type LogOutputChannel, Uri, window, workspace } from "vscode";
import { DidChangeConfigurationNotification, type LanguageClient } from "vscode-languageclient/node";
import { connect, Messages, type ServerStatus } from "./client";
import { installedProgram, installServer } from "./install";
import { rollBack, snooze, train } from "./night";
import { Offers } from "./offers";
import { readJson, runWithProgress } from "./program";
import { showReport } from "./report";
import { findServer, type Server } from "./server";
import { serverSettings } from "./settings";
import { StatusBar } from "./status";
import { toggle, toggleFile, toggleLanguage } from "./toggle";

class Nightschool {
  private client: LanguageClient | undefined;
  private server: Server | undefined;
  private starting: Promise<void> | undefined;
  private readonly messages = new Messages();
  private readonly bar = new StatusBar();
  private readonly offers = new Offers(() => this.client);
  private readonly log: LogOutputChannel = window.createOutputChannel("Nightschool", { log: true });

  constructor(private readonly context: ExtensionContext) {
    context.subscriptions.push(this.bar, this.offers, this.log);
    const registered: Record<string, (argument?: unknown) => unknown> = {
      "nightschool.menu": () => this.bar.menu(),
      "nightschool.toggle": toggle,
      "nightschool.toggleLanguage": toggleLanguage,
      "nightschool.toggleFile": toggleFile,
      "nightschool.snoozeFor": (minutes) => this.withClient((client) => this.snooze(client, minutes)),
      "nightschool.trainNow": () => this.withClient(train),
      "nightschool.rollBack": () => this.withClient(rollBack),
      "nightschool.report": () => this.withServer((server) => showReport(server.command)),
      "nightschool.statistics": () => this.withServer((server) => this.statistics(server)),
      "nightschool.log": () => this.withServer((server) => this.openLog(server)),
      "nightschool.restart": () => this.start(),
      "nightschool.installServer": async () => (await installServer(context)) && this.start(),
      "nightschool.getModel": () =>
        this.withServer((server) =>
          runWithProgress("getting the model", [...server.command, "model", "get"]),
        ),
    };
    for (const [name, action] of Object.entries(registered)) {
      context.subscriptions.push(commands.registerCommand(name, action));
    }
    context.subscriptions.push(
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("nightschool.server")) void this.start();
        else if (change.affectsConfiguration("nightschool")) void this.sendSettings();
      }),
    );
  }

  /** Finds and starts the server anew; what goes wrong is said once, with the way out. */
  start(): Promise<void> {
    this.starting = (this.starting ?? Promise.resolve()).then(() => this.startNow());
    return this.starting;
  }

  private async startNow(): Promise<void> {
    await this.stop();
    this.bar.show(trouble("starting", ""));
    try {
      this.server = await this.find();
      if (!this.server) return await this.offerInstallation();
      this.client = await connect(this.context, this.server, this.offers.provide, this, this.log);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.log.error(reason);
      this.bar.show(trouble("error", reason));
      const choice = await this.messages.warn("start", reason, "Try again", "Show the log");
      if (choice === "Try again") void this.start();
      if (choice === "Show the log") this.log.show();
      return;
    }
    this.messages.mended("start");
    await commands.executeCommand("setContext", "nightschool.running", true);
  }

  private async find(): Promise<Server | undefined> {
    const configured = workspace.getConfiguration("nightschool").get<string[]>("server.command", []);
    return (
      (await findServer(configured)) ??
      (await findServer([installedProgram(this.context)]).catch(() => undefined))
    );
  }

  private async offerInstallation(): Promise<void> {
    this.bar.show(trouble("error", "the server is not installed", "pipx install nightschool"));
    const choice = await this.messages.warn(
      "server",
      "its server is not installed",
      "Install it",
      "Choose a command",
    );
    if (choice === "Install it") await commands.executeCommand("nightschool.installServer");
    if (choice) this.messages.mended("server");
    if (choice === "Choose a command") {
      await commands.executeCommand("workbench.action.openSettings", "nightschool.server.command");
    }
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await commands.executeCommand("setContext", "nightschool.running", false);
    await client?.dispose(2000).catch(() => undefined);
  }

  status(status: ServerStatus): void {
    this.bar.show(status);
    void commands.executeCommand("setContext", "nightschool.ready", status.state === "ready");
    if (status.remedy.startsWith("nightschool model get")) void this.offerModel();
    else if (status.state === "ready") this.messages.mended("model");
  }

  private async offerModel(): Promise<void> {
    const choice = await this.messages.warn("model", "there is no model yet", "Get it");
    if (choice === "Get it") await commands.executeCommand("nightschool.getModel");
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

  private async sendSettings(): Promise<void> {
    const settings = { settings: serverSettings() };
    if (this.client?.isRunning()) {
      await this.client.sendNotification(DidChangeConfigurationNotification.type, settings);
    }
  }

  private async snooze(client: LanguageClient, minutes: unknown): Promise<void> {
    if (typeof minutes === "number") return snooze(client, minutes);
    const choice = await window.showQuickPick(["5 minutes", "30 minutes", "60 minutes"], { title: "Snooze" });
    if (choice) await snooze(client, Number.parseInt(choice, 10));
  }

  private async statistics(server: Server): Promise<void> {
    const found = await readJson<object>([...server.command, "stats", "--json"]);
    const content = found ? JSON.stringify(found, null, 2) : '"nothing was offered yet"';
    await window.showTextDocument(await workspace.openTextDocument({ content, language: "json" }));
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
    if (this.client?.isRunning()) await action(this.client);
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

let running: Nightschool | undefined;

export function activate(context: ExtensionContext): void {
  running = new Nightschool(context);
  // Not awaited: other extensions wait for this function.
  void running.start();
}

export async function deactivate(): Promise<void> {
  await running?.stop();
}
