import { DuckError } from "@duck-ts/runtime";

/** The app's module, or a plugin's worker module, is missing, does not compile, throws on import or exports no app. */
export class AppLoadError extends DuckError {
  /** The source file that could not be used. */
  readonly file: string;
  constructor(file: string, message: string, options?: ErrorOptions) {
    super("DUCK_APP_LOAD", message, options);
    this.file = file;
  }
}
