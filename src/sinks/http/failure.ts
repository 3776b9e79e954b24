import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../../core/clock.ts";
import { RETRY_AFTER_BELIEVED_MS } from "../../core/delivery-limits.ts";
import type { Problem } from "../exchange.ts";

/** A reason can be a page long; the message around it has to be read too. */
const REASON_SHOWN_CHARS = 160;
/** What every message about a destination says. */
export const SAFE = "nothing is lost, the lines wait in their files";

/** No answer came. */
export function describeFailure(code: string, message: string, where: string): Problem {
  const hint: Readonly<Record<string, string>> = {
    ECONNREFUSED: "Nothing listens there: is the server up, are host and port in `urls` right?",
    ENOTFOUND: "The host name is unknown: check `urls` and the DNS of this machine",
    EAI_AGAIN: "The DNS server does not answer",
    DEPTH_ZERO_SELF_SIGNED_CERT: "Its certificate is not trusted: set `tls.ca`",
    SELF_SIGNED_CERT_IN_CHAIN: "Its certificate is not trusted: set `tls.ca`",
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: "Its certificate is not trusted: set `tls.ca`",
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "Its certificate is not trusted: set `tls.ca`",
    ERR_TLS_CERT_ALTNAME_INVALID: "Its certificate is for another name: set `tls.server_name`, or the name in `urls`",
    CERT_HAS_EXPIRED: "Its certificate has expired",
    EPROTO: "It does not speak TLS there: http instead of https?",
  };
  const text = hint[code] === undefined ? "" : ` ${hint[code]}`;
  return { code: "sink_unreachable", message: `no answer from ${where} (${shortened(message)}); ${SAFE}.${text}` };
}

/** `Retry-After`: seconds or a date. What cannot be meant is not obeyed. */
export function retryAfterMs(headers: IncomingHttpHeaders, clock: Clock): number | undefined {
  const value = headers["retry-after"];
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - clock.nowMs();
  return ms > 0 && ms <= RETRY_AFTER_BELIEVED_MS ? ms : undefined;
}

export function shortened(reason: string): string {
  return reason.length <= REASON_SHOWN_CHARS ? reason : `${reason.slice(0, REASON_SHOWN_CHARS)}…`;
}
