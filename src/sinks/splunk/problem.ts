import type { Problem } from "../exchange.ts";
import { SAFE, shortened } from "../http/failure.ts";
import type { HecAnswer } from "./answer.ts";

const TOKEN_CODES: readonly number[] = [1, 2, 3, 4, 21, 22];
const INDEX_CODE = 7;
const CHANNEL_CODES: readonly number[] = [10, 11, 14];
const UNHEALTHY_CODES: readonly number[] = [18, 19, 20, 23];

/** What an answer of Splunk's, or of what stands before it, means for the operator. `text` is what it said where it is no `answer`. */
export function describeAnswer(status: number, answer: HecAnswer | undefined, text: string, where: string): Problem {
  const code = answer?.code ?? -1;
  const words = answer === undefined ? text : `${answer.text}, code ${code}`;
  const said = words === "" ? String(status) : `${status} “${shortened(words)}”`;
  const problem = (name: string, what: string, hint: string): Problem => ({
    code: name,
    message: `${where} ${what} (${said}); ${SAFE}. ${hint}`,
  });
  if (status === 401 || (status < 500 && TOKEN_CODES.includes(code)))
    return problem(
      status === 401 ? "sink_unauthorized" : "sink_forbidden",
      "does not accept the token",
      "Check `auth.token` of this sink, and whether the token is enabled; a changed secret file is read by itself",
    );
  if (status === 403) return problem("sink_forbidden", "does not let this sink write", "Check `auth` and `urls`");
  if (code === INDEX_CODE)
    return problem(
      "destination_missing",
      "does not take events for this index",
      "Create the index, allow it for the token, or set another `index`",
    );
  if (CHANNEL_CODES.includes(code))
    return problem("destination_error", "does not accept the channel", "A new one is used for the next request");
  if (status === 429 || code === 9)
    return problem("sink_busy", "has no room at the moment", "If this lasts, its indexers or queues are too small");
  if (status === 404)
    return problem(
      "destination_missing",
      "does not know the address",
      "Check `urls`: /services/collector/event is added to them; the collector mostly has a port of its own, 8088",
    );
  if (UNHEALTHY_CODES.includes(code))
    return problem("sink_error", "says that it is not healthy", "Its own log says why");
  if (status >= 500) return problem("sink_error", "failed", "Its own log says why");
  return problem(
    "destination_error",
    "refuses events for a reason that is not in them",
    "Usually a setting of the collector, or of a proxy before it, is wrong",
  );
}

/** An answer that no collector gives. */
export function describeStranger(status: number, where: string, redirectedTo?: string): Problem {
  const told =
    redirectedTo === undefined
      ? "but not as Splunk's collector does; what was sent is sent again"
      : `and points to ${shortened(redirectedTo)}; redirects are not followed, since they would show the token to another server. What was sent is sent again`;
  const hint =
    redirectedTo === undefined
      ? "Something else listens there, or a proxy answers in its place: check `urls`"
      : "Put the right address into `urls`";
  return { code: "sink_not_splunk", message: `${where} answered ${status}, ${told}, ${SAFE}. ${hint}` };
}

/** Events were taken, and nobody says that they are indexed. */
export function describeUnacknowledged(seconds: number, last: string, where: string): Problem {
  return {
    code: "sink_unacknowledged",
    message:
      `${where} took events and did not acknowledge them within ${seconds} s${last === "" ? "" : ` (${shortened(last)})`}; they are sent again, ${SAFE}. ` +
      "They may be there twice then. Usually an indexer is overloaded, or a load balancer sends each request to another collector: it needs sticky sessions",
  };
}
