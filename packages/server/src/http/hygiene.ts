/** What Node's parser lets through and RFC 9112 does not. Pure. */

/** Two Host headers: a request that two parties may read differently. RFC 9112 3.2. */
export function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && (name === "Host" || name === "host" || name.toLowerCase() === "host")) hosts++;
  }
  return hosts > 1;
}

/** `http://host/path` is `/path`; RFC 9112 3.2.2 has servers accept it. What is in origin form stays as it is. */
export function originForm(url: string): string {
  if (url.charCodeAt(0) === 47) return url;
  const match = /^https?:\/\/[^/?#]*/i.exec(url);
  if (match === null) return url;
  const rest = url.slice(match[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** Bytes to answer what could not even be parsed; the connection ends. */
export function parserAnswer(code: string | undefined): string {
  const [status, title] =
    code === "HPE_HEADER_OVERFLOW"
      ? [431, "Request Header Fields Too Large"]
      : code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "Request Timeout"]
        : code === "HPE_CHUNK_EXTENSIONS_OVERFLOW"
          ? [413, "Payload Too Large"]
          : [400, "Bad Request"];
  const body = JSON.stringify({ type: "about:blank", title, status });
  return `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
}
