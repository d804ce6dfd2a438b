// The first run opens the walkthrough, as VS Code does for what is installed in its own window.

import { commands, type ExtensionContext, workspace } from "vscode";

const WELCOMED = "welcomed";

/** Opens the walkthrough. */
export async function openWalkthrough(): Promise<void> {
  await commands.executeCommand("workbench.action.openWalkthrough", "nightschool.nightschool#start", false);
}

/** Opens it once per user, unless they want no walkthroughs. */
export async function welcome(context: ExtensionContext): Promise<void> {
  if (context.globalState.get(WELCOMED, false)) return;
  await context.globalState.update(WELCOMED, true);
  const isWanted = workspace
    .getConfiguration("workbench.welcomePage")
    .get("walkthroughs.openOnInstall", true);
  if (isWanted) await openWalkthrough();
}
