/** HTML that needs no escaping any more. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

type Content = Markup | string | number | readonly Content[];

/** A template whose values are escaped, unless they are markup themselves. */
export function markup(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.map((part, index) => (index === 0 ? part : write(values[index - 1] ?? "") + part)).join(""));
}

/** Text that is markup already: a style sheet, a script. */
export function verbatim(text: string): Markup {
  return new Markup(text);
}

function write(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (typeof content === "object") return content.map(write).join("");
  return String(content).replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
