// The report: what serves, what each night found, and how the offers fared.

import { randomBytes } from "node:crypto";
import { ViewColumn, type WebviewPanel, window } from "vscode";
import { readJson } from "./program";

interface Adapter {
  id: string;
  base: string;
  created: string | number;
  parent: string | null;
  serving: boolean;
  exam: unknown;
}

interface Statistics {
  groups: Record<string, string | number | null>[];
}

let panel: WebviewPanel | undefined;

/** Opens the report, or brings the open one up to date. */
export async function showReport(command: readonly string[]): Promise<void> {
  const adapters = (await readJson<Adapter[]>([...command, "adapters", "list", "--json"])) ?? [];
  const statistics = await readJson<Statistics>([...command, "stats", "--json"]);
  panel ??= openPanel();
  panel.webview.html = page(adapters, statistics?.groups ?? []);
  panel.reveal();
}

function openPanel(): WebviewPanel {
  const opened = window.createWebviewPanel("nightschool.report", "Nightschool: report", ViewColumn.Active, {
    enableScripts: false,
  });
  opened.onDidDispose(() => {
    panel = undefined;
  });
  return opened;
}

function page(adapters: readonly Adapter[], groups: Statistics["groups"]): string {
  const nonce = randomBytes(16).toString("base64");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'">
<title>Nightschool</title><style nonce="${nonce}">
body { font-family: var(--vscode-font-family); padding: 0 1em; }
table { border-collapse: collapse; } td, th { padding: 0.2em 0.8em; text-align: left; }
th { border-bottom: 1px solid var(--vscode-widget-border); font-weight: normal; opacity: 0.7; }
.serving { font-weight: bold; } pre { white-space: pre-wrap; }
</style></head><body><h1>Nightschool</h1>
<h2>How the offers fared</h2>${groups.length ? table(groups) : "<p>Nothing was offered yet.</p>"}
<h2>Adapters</h2>${adapters.length ? adapters.map(adapterSection).join("") : "<p>No night has made one yet.</p>"}
</body></html>`;
}

function adapterSection(adapter: Adapter): string {
  const exam = adapter.exam
    ? `<pre>${escaped(JSON.stringify(adapter.exam, null, 2))}</pre>`
    : "<p>No exam.</p>";
  const note = adapter.serving ? " (serving)" : "";
  return `<h3 class="${adapter.serving ? "serving" : ""}">${escaped(adapter.id)}${note}</h3>${exam}`;
}

function table(rows: Statistics["groups"]): string {
  const names = Object.keys(rows[0] ?? {});
  const head = names.map((name) => `<th>${escaped(name.replaceAll("_", " "))}</th>`).join("");
  const body = rows
    .map((row) => `<tr>${names.map((name) => `<td>${escaped(shown(row[name]))}</td>`).join("")}</tr>`)
    .join("");
  return `<table><tr>${head}</tr>${body}</table>`;
}

function shown(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" && !Number.isInteger(value) ? value.toFixed(3) : String(value);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
