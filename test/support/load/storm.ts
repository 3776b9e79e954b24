const REASON_CHARS = 1_000;

/** An answer that refuses every document for now, at length: 7,000 of them make 7 MB. */
export function busyAnswer(documents: number): string {
  const reason =
    `rejected execution of coordinating operation [${"coordinating_and_primary_bytes=0, ".repeat(40)}`.slice(
      0,
      REASON_CHARS,
    );
  const item = `{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"${reason}"}}}`;
  return `{"errors":true,"items":[${Array.from({ length: documents }, () => item).join(",")}]}`;
}
