/** Who the client is behind proxies that are trusted: the first address, seen from here, that is not one of theirs. */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/** What `server.trustProxy` may be. */
export type TrustProxy = boolean | number | string | readonly string[];

/** The client as the trusted proxies tell it. */
export interface Origin {
  readonly ip: string;
  readonly secure: boolean;
}

const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.1/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/** Reads `X-Forwarded-For` and `-Proto` as far as they are to be believed; undefined where nobody is trusted. */
export function forwardedReader(trust: TrustProxy): ((request: IncomingMessage) => Origin) | undefined {
  if (trust === false || trust === 0) return undefined;
  const trusted = truster(trust);
  return (request) => {
    const { socket, headers } = request;
    const peer = plain(socket.remoteAddress ?? "");
    const encrypted = (socket as { encrypted?: boolean }).encrypted === true;
    if (!trusted(peer, 0)) return { ip: peer, secure: encrypted };
    const chain = list(headers["x-forwarded-for"]).map(plain).reverse();
    let ip = peer;
    for (let hop = 0; hop < chain.length; hop++) {
      const next = chain[hop] as string;
      if (isIP(next) === 0) break;
      ip = next;
      if (!trusted(next, hop + 1)) break;
    }
    const proto = list(headers["x-forwarded-proto"]).at(-1)?.toLowerCase();
    return { ip, secure: proto === undefined ? encrypted : proto === "https" };
  };
}

function truster(trust: TrustProxy): (address: string, hop: number) => boolean {
  if (trust === true) return () => true;
  if (typeof trust === "number") return (_address, hop) => hop < trust;
  const ranges = (typeof trust === "string" ? trust.split(",") : [...(trust as readonly string[])])
    .map((range) => range.trim())
    .flatMap((range) => NAMED[range] ?? [range]);
  const block = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) block.addAddress(address, family);
    else block.addSubnet(address, Number(bits), family);
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && block.check(address, family === 6 ? "ipv6" : "ipv4");
  };
}

/** `::ffff:127.0.0.1` is `127.0.0.1`. */
function plain(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
function list(header: string | string[] | undefined): string[] {
  if (header === undefined) return [];
  const text = Array.isArray(header) ? header.join(",") : header;
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
