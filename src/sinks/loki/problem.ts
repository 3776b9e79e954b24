import type { Problem } from "../exchange.ts";
import { SAFE, shortened } from "../http/failure.ts";

/** What an answer of Loki's, or of what stands before it, means for the operator. */
export function describeAnswer(status: number, reason: string, where: string): Problem {
  const said = reason === "" ? String(status) : `${status} “${shortened(reason)}”`;
  const problem = (code: string, what: string, hint: string): Problem => ({
    code,
    message: `${where} ${what} (${said}); ${SAFE}. ${hint}`,
  });
  if (status === 401)
    return problem(
      "sink_unauthorized",
      "does not accept the credentials",
      "Check `auth` and `tenant` of this sink; a changed secret file is read by itself",
    );
  if (status === 403)
    return problem("sink_forbidden", "does not let these credentials write", "Check `auth` and `tenant` of this sink");
  if (status === 404)
    return problem(
      "destination_missing",
      "does not know the address",
      "Check `urls`: /loki/api/v1/push is added to them",
    );
  if (status === 429)
    return problem(
      "sink_busy",
      "takes no more at the moment",
      "pannier slows down by itself. If this lasts, raise `ingestion_rate_mb` or `per_stream_rate_limit` in Loki's `limits_config`",
    );
  if (status === 260 || /ingestion blocked/.test(reason))
    return problem(
      "destination_blocked",
      "discards what this tenant sends",
      "`block_ingestion_until` is set in Loki's limits",
    );
  if (status >= 500) return problem("sink_error", "failed", "Its own log says why");
  if (status >= 400)
    return problem(
      "destination_error",
      "refuses pushes for a reason that is not in their lines",
      "Usually a setting of Loki or of a proxy before it is wrong",
    );
  return {
    code: "sink_not_loki",
    message: `${where} answered ${status}, but not as Loki does; what was sent is sent again, ${SAFE}. Something else listens there, or a proxy answers in its place: check \`urls\``,
  };
}
