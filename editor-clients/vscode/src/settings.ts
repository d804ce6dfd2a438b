// What the user has set: the server's settings in its own words, and the client's own.

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

export interface OwnSettings {
  /** The server's command and its arguments before `serve`; empty to look for it. */
  command: string[];
  /** Seconds. */
  startTimeout: number;
}

/** Returns the client's own settings; a value of the wrong type is named, and its default used. */
export function ownSettings(warn: (problem: string) => void): OwnSettings {
  function read<T>(name: string, fallback: T, fits: (value: unknown) => boolean, expected: string): T {
    const value: unknown = workspace.getConfiguration("nightschool").get(name, fallback);
    if (fits(value)) return value as T;
    warn(
      `setting nightschool.${name} is ${JSON.stringify(value)}, but must be ${expected}; its default is used`,
    );
    return fallback;
  }
  return {
    command: read<string[]>("server.command", [], isStrings, "a list of text"),
    startTimeout: read("server.startTimeout", 30, (value) => Number(value) > 0, "a number of seconds"),
  };
}

export function packageToInstall(): string {
  const wanted: unknown = workspace.getConfiguration("nightschool").get("server.package");
  return typeof wanted === "string" && wanted ? wanted : "nightschool";
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
