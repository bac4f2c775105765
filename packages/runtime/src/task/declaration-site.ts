import { findSourceMap } from "node:module";
import { frameUrl } from "./module-url.ts";
import { type Callable, callersOf, type StackFrame } from "./stack-frames.ts";

/** Where `task()` was called from. */
export type DeclarationSite =
  /** At the top level of the module `url`; `position` tells its declarations apart. */
  | { readonly kind: "module"; readonly url: string; readonly position: string }
  /** In a function that no module's top level was calling; `inside` names it. */
  | { readonly kind: "function"; readonly inside: string }
  /** In a module that the bundle wrapped in a function and runs at some import(). */
  | { readonly kind: "lazy"; readonly inside: string }
  /** At the top level of code that no other thread can import. */
  | { readonly kind: "unimportable"; readonly file: string };

/**
 * Finds the module that called `declare`: the innermost frame, among those still running, that is a module's top level. A
 * factory called there may itself live anywhere. Frames behind an await do not count: what a function does after its
 * first await is no part of the module's evaluation.
 */
export function declarationSite(declare: Callable): DeclarationSite {
  const all = callersOf(declare);
  const firstAsync = all.findIndex((frame) => frame.isAsync());
  const running = firstAsync === -1 ? all : all.slice(0, firstAsync);
  for (const [index, frame] of running.entries()) {
    if (isTopLevel(frame)) return topLevelSite(frame);
    const part = lazyModule(frame);
    if (part === undefined) continue;
    const evaluatedByTopLevel = running.slice(index).some(isTopLevel) || isTopLevelOf(frame, all[firstAsync]);
    return evaluatedByTopLevel ? topLevelSite(frame, part) : { kind: "lazy", inside: part };
  }
  return { kind: "function", inside: enclosingFunction(running) };
}

/** ESM, CommonJS and vitest's wrapper alike: a function without a name that starts where the file starts. */
function isTopLevel(frame: StackFrame): boolean {
  const file = frame.getFileName();
  if (file == null || file.startsWith("node:") || frame.isEval()) return false;
  const name = frame.getFunctionName();
  if (name === "Object.<anonymous>") return true;
  if (name !== null || frame.getEnclosingLineNumber() !== 1) return false;
  // vitest shifts its wrapper's head out of the first line, to a column that V8 does not give.
  const column = frame.getEnclosingColumnNumber();
  return column === 1 || column === null;
}

/** esbuild without code splitting makes a module that is import()ed a function named by the module's path. */
function lazyModule(frame: StackFrame): string | undefined {
  const name = frame.getFunctionName();
  return name !== null && /\.[cm]?[jt]sx?$/.test(name) && frame.getFileName() != null ? name : undefined;
}

function isTopLevelOf(frame: StackFrame, outer: StackFrame | undefined): boolean {
  return outer !== undefined && isTopLevel(outer) && outer.getFileName() === frame.getFileName();
}

function topLevelSite(frame: StackFrame, part?: string): DeclarationSite {
  const file = frame.getFileName() ?? "";
  const url = frameUrl(file);
  if (url === undefined) return { kind: "unimportable", file: file.length > 80 ? `${file.slice(0, 80)}...` : file };
  const position = `${frame.getLineNumber()}:${frame.getColumnNumber()}`;
  return { kind: "module", url: part === undefined ? url : `${url}#${part}`, position };
}

/** What the user would look for: the function that called, and where. */
function enclosingFunction([frame]: readonly StackFrame[]): string {
  if (frame === undefined) return "a function";
  const name = frame.getFunctionName();
  const where = sourceOf(frame);
  return name === null ? `a function (${where})` : `the function ${name} (${where})`;
}

/** Where the frame is in what the user wrote: a source map leads there where Node has read one. */
function sourceOf(frame: StackFrame): string {
  const [file, line, column] = [frame.getFileName() ?? "", frame.getLineNumber() ?? 1, frame.getColumnNumber() ?? 1];
  const entry = findSourceMap(file)?.findEntry(line - 1, column - 1);
  if (entry === undefined || !("originalSource" in entry)) return `${file}:${line}:${column}`;
  return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}
