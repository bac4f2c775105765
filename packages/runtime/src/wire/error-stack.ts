/** Stacks on the wire: what one error's stack says, bounded, and how the submitting thread's is shown beneath it. */

const separator = "    at --- submitted to another thread by ---";
const maxFramesLength = 32_768;
const maxSubmitFrames = 16;
// An error handed back and forth shows the latest few crossings, not hundreds.
const maxCrossings = 4;

/** The stack to send: begins with `Name: message` (or Node's `Name [CODE]: message`), and of a bounded size. */
export function stackToSend(stack: unknown, name: string, message: string): string {
  const head = message === "" ? name : `${name}: ${message}`;
  if (typeof stack !== "string") return head; // lost, or a prepareStackTrace that answers something else
  let whole = stack;
  if (!stack.startsWith(head) && !startsWithCode(stack, name)) {
    // The name was set after the stack was taken (`this.name = ...` in a constructor), or the message changed since.
    const framesAt = stack.search(/^ {4}at /m);
    const messageAt = message === "" ? -1 : stack.indexOf(message);
    if (messageAt !== -1 && messageAt < 256) whole = head + stack.slice(messageAt + message.length);
    else whole = framesAt === -1 ? head : `${head}\n${stack.slice(framesAt)}`;
  }
  const most = head.length + maxFramesLength;
  return whole.length <= most
    ? whole
    : `${whole.slice(0, whole.lastIndexOf("\n", most))}\n    at --- ${whole.length - most} more characters of stack ---`;
}

function startsWithCode(stack: string, name: string): boolean {
  return stack.startsWith(`${name} [`);
}

/** `stack` with the frames of `submittedAt` (an `Error.stack`, its first line or not) beneath it. */
export function withSubmitter(stack: string, submittedAt: string): string {
  const frames = submittedAt.split("\n").filter((line) => /^\s+at /.test(line));
  if (frames.length === 0) return stack;
  const block = [separator, ...frames.slice(0, maxSubmitFrames)].join("\n");
  if (stack.endsWith(block)) return stack;
  const crossings = stack.split(`\n${separator}`);
  if (crossings.length > maxCrossings) crossings.splice(1, crossings.length - maxCrossings);
  return `${crossings.join(`\n${separator}`)}\n${block}`;
}
