// What the user has set, in the server's words.

import { workspace } from "vscode";

/** Settings under `nightschool.` that are the client's own. */
const OWN = new Set(["server"]);

/** Returns the settings as the server takes them: its names, and nothing where the server decides. */
export function serverSettings(): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(workspace.getConfiguration().get<object>("nightschool") ?? {})) {
    if (OWN.has(name) || value === null || value === "") continue;
    found[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  return found;
}
