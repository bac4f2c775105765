/** The web `Request` that a handler is given. */

/** What the Fetch standard reads forms from. */
const FORM = /^\s*(?:multipart\/form-data|application\/x-www-form-urlencoded)\s*(?:;|$)/i;

let IncomingRequest: typeof Request | undefined;

/**
 * A `Request` that came from a client. Where its body cannot be read as what was asked for, that is the client's doing:
 * the standard's own error has a `status` that says so, and unless the handler catches it the answer is no 500.
 */
export function incomingRequest(href: string, init: RequestInit): Request {
  IncomingRequest ??= declare();
  return new IncomingRequest(href, init);
}

/** Not at the top level: Node loads all of fetch with the first mention of it, and request threads are to start quickly. */
function declare(): typeof Request {
  class IncomingRequest extends Request {}
  const { json, formData, clone } = Request.prototype;
  const own = {
    async json(this: Request): Promise<unknown> {
      try {
        return await json.call(this);
      } catch (error) {
        throw error instanceof SyntaxError ? blameClient(error, 400) : error;
      }
    },
    async formData(this: Request): Promise<FormData> {
      // Read a second time it is the handler's mistake, a TypeError too.
      const { bodyUsed } = this;
      try {
        return await formData.call(this);
      } catch (error) {
        if (bodyUsed || !(error instanceof TypeError)) throw error;
        throw blameClient(error, FORM.test(this.headers.get("content-type") ?? "") ? 400 : 415);
      }
    },
    clone(this: Request): Request {
      return Object.setPrototypeOf(clone.call(this), IncomingRequest.prototype) as Request;
    },
  };
  for (const [name, value] of Object.entries(own)) {
    Object.defineProperty(IncomingRequest.prototype, name, { value, writable: true, configurable: true });
  }
  return IncomingRequest;
}

/** Not enumerable: whoever shows the error shows the standard's. */
function blameClient(error: Error, status: number): Error {
  return Object.defineProperty(error, "status", { value: status });
}
