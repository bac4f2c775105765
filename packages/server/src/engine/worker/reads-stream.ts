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
  const context = firstParameter(text);
  if (!context.startsWith("{")) return !readsBodyOf(context, text);
  // A `body` elsewhere is another one: request.body under that name, or a member of what is handed to fetch().
  const others = /\.\.\.\s*([\w$]+)/.exec(context)?.[1];
  return !/\bbody\b/.test(context) && (others === undefined || !readsBodyOf(others, text));
}

/** `ctx`, `{ request, params }`; without what it is by default. */
function firstParameter(text: string): string {
  const bare = /^(?:async\s+)?([\w$]+)\s*=>/.exec(text)?.[1];
  if (bare !== undefined) return bare;
  const start = text.indexOf("(") + 1;
  let deep = 0;
  for (let at = start; at < text.length; at++) {
    const char = text.charAt(at);
    if (deep === 0 && /[,)=]/.test(char)) return text.slice(start, at).trim();
    if (/[{[(]/.test(char)) deep++;
    else if (/[}\])]/.test(char)) deep--;
  }
  return "";
}

/** Is it `ctx.body`, or `{ ..., body } = ctx`? */
function readsBodyOf(name: string, text: string): boolean {
  if (name === "") return false;
  const own = name.replaceAll("$", "\\$");
  if (new RegExp(`(?<![\\w$.])${own}\\s*\\??\\.\\s*body\\b`).test(text)) return true;
  return new RegExp(`\\bbody\\b[^;=]*\\}\\s*=\\s*${own}(?![\\w$.?])`).test(text);
}

function codeIn(literal: string): string {
  if (!literal.startsWith("`")) return literal.startsWith("/") ? " " : '""';
  return (literal.match(/\$\{[^}]*\}/g) ?? []).map((part) => `(${part.slice(2, -1)})`).join(" ");
}
