import type { Problem } from "../exchange.ts";
import { SAFE, shortened } from "../http/failure.ts";

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
