// What is on display, and what became of it as far as only the editor can see: word and line accepts, rejects.

import {
  commands,
  type Disposable,
  type InlineCompletionItem,
  type Position,
  Range,
  type TextDocument,
  window,
} from "vscode";
import type { LanguageClient, Middleware } from "vscode-languageclient/node";

interface Offer {
  id: string;
  /** The whole text as it was first offered; later answers under the same id are remainders of it. */
  text: string;
}

/** The items of the last answer, as long as the cursor has not left them. */
interface Display {
  uri: string;
  position: Position;
  offers: Offer[];
}

export class Offers implements Disposable {
  private display: Display | undefined;
  private readonly whole = new Map<string, string>();
  private readonly registered: Disposable[];

  constructor(private readonly client: () => LanguageClient | undefined) {
    this.registered = [
      commands.registerCommand("nightschool.acceptWord", () =>
        this.acceptPart("editor.action.inlineSuggest.acceptNextWord"),
      ),
      commands.registerCommand("nightschool.acceptLine", () =>
        this.acceptPart("editor.action.inlineSuggest.acceptNextLine"),
      ),
      commands.registerCommand("nightschool.reject", () => this.reject()),
    ];
  }

  dispose(): void {
    for (const each of this.registered) each.dispose();
  }

  /** Notes each answer on its way to the editor. VS Code shows it at once, unless it was overtaken. */
  readonly provide: Middleware["provideInlineCompletionItems"] = async (
    document,
    position,
    context,
    token,
    next,
  ) => {
    const answer = await next(document, position, context, token);
    const items = answer ? (Array.isArray(answer) ? answer : answer.items) : [];
    if (!token.isCancellationRequested) this.note(document, position, items);
    return answer;
  };

  private note(document: TextDocument, position: Position, items: readonly InlineCompletionItem[]): void {
    const offers = items.flatMap((item) => {
      const id: unknown = item.command?.arguments?.[0];
      return typeof id === "string" && typeof item.insertText === "string"
        ? [{ id, text: item.insertText }]
        : [];
    });
    for (const { id, text } of offers) if (!this.whole.has(id)) this.remember(id, text);
    this.display = offers.length > 0 ? { uri: document.uri.toString(), position, offers } : undefined;
    const first = offers[0];
    if (first) this.tell("textDocument/didShowCompletion", { item: asItem(first) });
  }

  private remember(id: string, text: string): void {
    this.whole.set(id, text);
    const oldest = this.whole.size > 64 ? this.whole.keys().next().value : undefined;
    if (oldest !== undefined) this.whole.delete(oldest);
  }

  /** Lets VS Code take a part, and tells the server how much was taken of what. */
  private async acceptPart(command: string): Promise<void> {
    const editor = window.activeTextEditor;
    const shown = editor && this.shown(editor.document, editor.selection.active);
    const start = editor?.selection.active;
    await commands.executeCommand(command);
    if (!editor || !shown || start === undefined) return;
    const taken = textBetween(editor.document, start, editor.selection.active);
    const offer = shown.find(({ text }) => taken !== "" && text.startsWith(taken));
    const whole = offer && this.whole.get(offer.id);
    if (!offer || whole === undefined) return;
    const before = whole.length - offer.text.length;
    const acceptedLength = [...whole.slice(0, before + taken.length)].length;
    this.tell("textDocument/didPartiallyAcceptCompletion", { item: asItem(offer), acceptedLength });
    const rest = { id: offer.id, text: offer.text.slice(taken.length) };
    this.display = {
      uri: editor.document.uri.toString(),
      position: editor.selection.active,
      offers: rest.text ? [rest] : [],
    };
  }

  private async reject(): Promise<void> {
    const editor = window.activeTextEditor;
    const shown = editor && this.shown(editor.document, editor.selection.active);
    await commands.executeCommand("editor.action.inlineSuggest.hide");
    if (!shown || shown.length === 0) return;
    this.display = undefined;
    this.tell("nightschool/didReject", { offerIds: shown.map(({ id }) => id) });
  }

  /** Returns what is on display at the cursor; another provider's ghost text is none of ours. */
  private shown(document: TextDocument, cursor: Position): Offer[] | undefined {
    const display = this.display;
    if (!display || display.uri !== document.uri.toString() || cursor.isBefore(display.position))
      return undefined;
    // Typing along moves the cursor into the offer before the next answer comes.
    const typed = textBetween(document, display.position, cursor);
    return display.offers
      .filter(({ text }) => text.startsWith(typed))
      .map(({ id, text }) => ({ id, text: text.slice(typed.length) }));
  }

  private tell(method: string, params: object): void {
    const client = this.client();
    if (client?.isRunning()) void client.sendNotification(method, params);
  }
}

/** Returns the document's text with the line ends that offers have. */
function textBetween(document: TextDocument, start: Position, end: Position): string {
  return document.getText(new Range(start, end)).replaceAll("\r\n", "\n");
}

function asItem({ id, text }: Offer): object {
  return { insertText: text, command: { title: "", command: "nightschool.accepted", arguments: [id] } };
}
