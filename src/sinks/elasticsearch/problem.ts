import type { Problem } from "../exchange.ts";

/** A reason can be a page long; the message around it has to be read too. */
const REASON_SHOWN_CHARS = 160;
const SAFE = "nothing is lost, the lines wait in their files";

/** What a server's error means for the operator: what happened, that nothing is lost, and where to look. */
export function describeError(status: number, type: string, reason: string, where: string): Problem {
  const said = [String(status), type, reason === "" ? "" : `“${shortened(reason)}”`]
    .filter((part) => part !== "")
    .join(" ");
  const problem = (code: string, what: string, hint: string): Problem => ({
    code,
    message: `${where} ${what} (${said}); ${SAFE}. ${hint}`,
  });
  if (type === "cluster_block_exception")
    return problem(
      "destination_blocked",
      "has a block on the destination",
      "Elasticsearch sets one when its disks are full, or an administrator did; it stays until somebody removes it",
    );
  if (type === "index_closed_exception")
    return problem(
      "destination_closed",
      "says that the index is closed",
      "Open it, or set another `data_stream` or `index`",
    );
  if (type === "index_not_found_exception")
    return problem(
      "destination_missing",
      "has no such index and does not create it",
      "Create it, allow `action.auto_create_index`, or set another `data_stream` or `index`",
    );
  if (status === 401)
    return problem(
      "sink_unauthorized",
      "does not accept the credentials",
      "Check `auth` of this sink; a changed secret file is read by itself",
    );
  if (status === 403)
    return problem(
      "sink_forbidden",
      "does not let these credentials write",
      "They need `create_doc` and `auto_configure` on the destination",
    );
  if (status === 429)
    return problem(
      "sink_busy",
      "has no room at the moment",
      "If this lasts, the cluster is too small, or `batch.max_bytes` too large for it",
    );
  if (status === 404)
    return problem(
      "destination_missing",
      "does not know the address",
      "Check the path in `urls` and the name in `data_stream` or `index`",
    );
  if (status >= 500) return problem("sink_error", "failed", "Its own log says why");
  return problem(
    "destination_error",
    "refuses records for a reason that is not in them",
    "Usually an ingest pipeline or a setting of the index is wrong",
  );
}

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

/** An answer that a server of this kind does not give. */
export function describeStranger(status: number, where: string, redirectedTo?: string): Problem {
  if (redirectedTo !== undefined)
    return {
      code: "sink_not_elasticsearch",
      message:
        `${where} answered ${status} and points to ${shortened(redirectedTo)}; redirects are not followed, since they would ` +
        `show the credentials to another server. What was sent is sent again, ${SAFE}. Put the right address into \`urls\``,
    };
  return {
    code: "sink_not_elasticsearch",
    message:
      `${where} answered ${status}, but not as Elasticsearch does; what was sent is sent again, ${SAFE}. ` +
      "Something else listens there, or a proxy answers in its place: check `urls`",
  };
}

function shortened(reason: string): string {
  return reason.length <= REASON_SHOWN_CHARS ? reason : `${reason.slice(0, REASON_SHOWN_CHARS)}…`;
}
