// What `nightschool stats` prints, as a page that cannot be edited and asks for no saving.

import { type Disposable, EventEmitter, Uri, window, workspace } from "vscode";
import { readText } from "./program";

const PAGE = Uri.parse("nightschool:Nightschool%20statistics");

export class StatisticsPage implements Disposable {
  private text = "";
  private readonly changed = new EventEmitter<Uri>();
  private readonly registered = workspace.registerTextDocumentContentProvider("nightschool", {
    onDidChange: this.changed.event,
    provideTextDocumentContent: () => this.text,
  });

  dispose(): void {
    this.registered.dispose();
    this.changed.dispose();
  }

  /** Shows the statistics, or brings the open page up to date. */
  async show(command: readonly string[]): Promise<void> {
    this.text = (await readText([...command, "stats"])) || "Nothing was offered yet.\n";
    this.changed.fire(PAGE);
    await window.showTextDocument(await workspace.openTextDocument(PAGE), { preview: true });
  }
}
