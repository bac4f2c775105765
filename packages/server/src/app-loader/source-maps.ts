const flag = "--enable-source-maps";

/**
 * Lets threads that are started from now on show `.ts` files and lines in their stacks. The runtime passes on to threads
 * what this process was started with, so this is written there; a call in the app's own code would come too late.
 */
export function mapStacksInThreads(): void {
  if (!process.execArgv.includes(flag)) process.execArgv.push(flag);
}
