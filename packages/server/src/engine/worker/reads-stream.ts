/** Whether a route's large bodies are streamed, where it does not say so itself. */

/** Comments, and strings with what they hold; of templates the expressions in them are kept. */
const NO_CODE = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`/g;

/**
 * Does a handler's own code ask for the request, and for no collected body? What it cannot see (a helper that is handed
 * the context, `ctx["request"]`) is what the option `streamBody` is for.
 */
export function readsStream(handler: (...args: never[]) => unknown): boolean {
  const text = Function.prototype.toString.call(handler).replace(NO_CODE, codeIn);
  if (!/\brequest\b/.test(text)) return false;
  const rest = text.replace(/\b\w+\s*\??\.\s*body\b/g, (match) => (/^(?:ctx|context|c)\b/.test(match) ? "body" : ""));
  return !/\bbody\b/.test(rest);
}

function codeIn(literal: string): string {
  if (!literal.startsWith("`")) return literal.startsWith("/") ? " " : '""';
  return (literal.match(/\$\{[^}]*\}/g) ?? []).map((part) => `(${part.slice(2, -1)})`).join(" ");
}
