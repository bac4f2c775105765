/** The addresses that `server.trustProxy` may name. Pure. */
import { isIP } from "node:net";

const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.1/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/** An address and, for a range, how many of its bits count. */
export interface ProxyRange {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  readonly bits: number | undefined;
}

/** The ranges in a list, or in text with commas between them; undefined where one of them is none. */
export function proxyRanges(given: string | readonly string[]): readonly ProxyRange[] | undefined {
  const names = (typeof given === "string" ? given.split(",") : given).map((name) => name.trim());
  const ranges = names.flatMap((name) => NAMED[name] ?? [name]).map(parse);
  return ranges.every((range) => range !== undefined) ? ranges : undefined;
}

function parse(text: string): ProxyRange | undefined {
  const [address = "", bits, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return undefined;
  const family = version === 6 ? "ipv6" : "ipv4";
  if (bits === undefined) return { address, family, bits };
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > (version === 6 ? 128 : 32)) return undefined;
  return { address, family, bits: Number(bits) };
}
