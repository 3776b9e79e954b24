import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

/**
 * Why a request is refused before any route sees it, or undefined. The listeners need no token for what they offer, so a web
 * page in the operator's browser must not be able to call them. Browsers mark such requests (`Sec-Fetch-Site`, `Origin`); a
 * page that rebinds its own DNS name to this address is "same-origin", and told by the Host that it names: an address or
 * `localhost` cannot be rebound.
 */
export function refusal(headers: IncomingHttpHeaders, listenHost: string | undefined): string | undefined {
  const site = headers["sec-fetch-site"];
  if (site === "cross-site" || site === "same-site") return "requests from web pages of other origins are refused";
  const { host, origin } = headers;
  if (origin !== undefined && origin !== `http://${host}`)
    return "requests from web pages of other origins are refused";
  if (listenHost === undefined || host === undefined) return undefined;
  const name = host
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase();
  if (isIP(name) !== 0 || name === "localhost" || name === listenHost.toLowerCase()) return undefined;
  return "the Host of this request is neither an address nor localhost; use the address of the admin listener";
}
