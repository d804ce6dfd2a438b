// Turning ghost text on and off: everywhere, for a language, for a file.

import { ConfigurationTarget, window, workspace } from "vscode";

const settings = () => workspace.getConfiguration("nightschool");

export async function toggle(): Promise<void> {
  await settings().update("enabled", !settings().get("enabled", true), ConfigurationTarget.Global);
}

export function isLanguageOn(language: string): boolean {
  const switches = languages();
  return switches[language] ?? switches["*"] ?? true;
}

/** A value of the wrong type is as none: the server says that it is wrong. */
function languages(): Record<string, boolean> {
  const value: unknown = settings().get("languages");
  return typeof value === "object" && value !== null ? { ...value } : {};
}

export async function toggleLanguage(): Promise<void> {
  const language = window.activeTextEditor?.document.languageId;
  if (!language) return;
  const changed = { ...languages(), [language]: !isLanguageOn(language) };
  await settings().update("languages", changed, ConfigurationTarget.Global);
}

/** Adds the active file to the paths to stay silent in, or takes it out again. */
export async function toggleFile(): Promise<void> {
  const glob = activeFile();
  if (!glob) {
    void window.showInformationMessage("Nightschool: only a file on the disk can be turned off by itself");
    return;
  }
  const paths = disabledPaths();
  const changed = paths.includes(glob) ? paths.filter((path) => path !== glob) : [...paths, glob];
  // A value of the workspace's hides the user's: the change goes where it counts.
  const isOfWorkspace = settings().inspect("disabledPaths")?.workspaceValue !== undefined;
  const target = isOfWorkspace ? ConfigurationTarget.Workspace : ConfigurationTarget.Global;
  await settings().update("disabledPaths", changed, target);
}

/** Returns undefined where the active editor shows no file. */
export function isFileOn(): boolean | undefined {
  const glob = activeFile();
  return glob ? !disabledPaths().includes(glob) : undefined;
}

/** Returns the glob that matches the active file alone. The server matches whole paths, from the root on. */
function activeFile(): string | undefined {
  const uri = window.activeTextEditor?.document.uri;
  // A path's own characters, not a pattern's.
  return uri?.scheme === "file" ? uri.path.replace(/[\\*?[\]!# ]/g, "\\$&") : undefined;
}

function disabledPaths(): unknown[] {
  const value: unknown = settings().get("disabledPaths");
  return Array.isArray(value) ? value : [];
}
