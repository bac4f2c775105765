/** Who the client is behind proxies that are trusted: the first address, seen from here, that is not one of theirs. */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { proxyRanges } from "../config/proxy-ranges.ts";
import { peerAddress } from "./peer.ts";

/** What `server.trustProxy` may be. */
export type TrustProxy = boolean | number | string | readonly string[];

/** The client as the trusted proxies tell it. */
export interface Origin {
  readonly ip: string;
  readonly secure: boolean;
}

/** Reads `X-Forwarded-For` and `-Proto` as far as they are to be believed; undefined where nobody is trusted. */
export function forwardedReader(trust: TrustProxy): ((request: IncomingMessage) => Origin) | undefined {
  if (trust === false || trust === 0) return undefined;
  const trusted = truster(trust);
  return (request) => {
    const { socket, headers } = request;
    const peer = plain(peerAddress(socket) ?? "");
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
  const block = new BlockList();
  for (const { address, family, bits } of proxyRanges(trust as string | readonly string[]) ?? []) {
    if (bits === undefined) block.addAddress(address, family);
    else block.addSubnet(address, bits, family);
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
