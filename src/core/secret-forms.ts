/**
 * The forms in which a secret can come back from a server. An Elasticsearch API key is used as the base64 of `id:secret`, and
 * a server that repeats what it was sent may show either.
 */
export function secretForms(value: string): string[] {
  const decoded = Buffer.from(value, "base64").toString("latin1");
  const isPair = /^[!-9;-~]+:[!-~]+$/.test(decoded);
  return isPair ? [value, decoded, decoded.slice(decoded.indexOf(":") + 1)] : [value];
}
