// Turning ghost text on and off: everywhere, for a language, for a file.

import { ConfigurationTarget, window, workspace } from "vscode";

const settings = () => workspace.getConfiguration("nightschool");

export async function toggle(): Promise<void> {
  await settings().update("enabled", !settings().get("enabled", true), ConfigurationTarget.Global);
}

export function isLanguageOn(language: string): boolean {
  const languages = settings().get<Record<string, boolean>>("languages", {});
  return languages[language] ?? languages["*"] ?? true;
}

export async function toggleLanguage(): Promise<void> {
  const language = window.activeTextEditor?.document.languageId;
  if (!language) return;
  const languages = { ...settings().get<Record<string, boolean>>("languages", {}) };
  languages[language] = !isLanguageOn(language);
  await settings().update("languages", languages, ConfigurationTarget.Global);
}

/** Adds the file to the paths to stay silent in, or takes it out again. */
export async function toggleFile(): Promise<void> {
  const uri = window.activeTextEditor?.document.uri;
  const folder = uri && workspace.getWorkspaceFolder(uri);
  if (!uri || !folder) {
    void window.showInformationMessage("Nightschool: only a file of a workspace can be turned off by itself");
    return;
  }
  const glob = `/${escaped(workspace.asRelativePath(uri, false))}`;
  const scoped = workspace.getConfiguration("nightschool", uri);
  const paths = scoped.get<string[]>("disabledPaths", []);
  const changed = paths.includes(glob) ? paths.filter((path) => path !== glob) : [...paths, glob];
  await scoped.update("disabledPaths", changed, ConfigurationTarget.Workspace);
}

/** A path's own characters, not a pattern's. */
function escaped(path: string): string {
  return path.replace(/[\\*?[\]!# ]/g, "\\$&");
}
