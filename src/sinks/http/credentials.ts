import type { AuthConfig } from "../../core/config.ts";
import { secretForms } from "../../core/secret-forms.ts";

const MASK = "***";
/** Shorter values would blot out half of a message. */
const SECRET_MIN_CHARS = 4;

/** What the sink shows to be let in. Secrets are read at each request, so a changed file heals a refusal. */
export class Credentials {
  readonly #auth: AuthConfig;
  readonly #fromUrl: { readonly user: string; readonly password: string } | undefined;

  constructor(auth: AuthConfig, urls: readonly string[]) {
    this.#auth = auth;
    const url = urls.map((text) => new URL(text)).find(({ username }) => username !== "");
    if (url !== undefined)
      this.#fromUrl = { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  }

  /** The value of the Authorization header; undefined when none is configured. What the URL says counts last. */
  header(): string | undefined {
    const { apiKey, bearer, token, username, password } = this.#auth;
    if (token !== undefined) return `Splunk ${token.read().trim()}`;
    if (apiKey !== undefined) return `ApiKey ${encodedApiKey(apiKey.read().trim())}`;
    if (bearer !== undefined) return `Bearer ${bearer.read().trim()}`;
    if (username !== undefined) return basic(username, password?.read() ?? "");
    if (this.#fromUrl !== undefined) return basic(this.#fromUrl.user, this.#fromUrl.password);
    return undefined;
  }

  /** The text without any of the secrets. */
  redact(text: string): string {
    let safe = text;
    for (const secret of this.#secrets()) safe = safe.replaceAll(secret, MASK);
    return safe;
  }

  #secrets(): string[] {
    const { apiKey, bearer, token, password } = this.#auth;
    const values: (string | undefined)[] = [this.#fromUrl?.password];
    for (const secret of [apiKey, bearer, token, password]) {
      try {
        values.push(secret?.read());
      } catch {
        // A secret that cannot be read cannot be in the text.
      }
    }
    try {
      values.push(this.header()?.replace(/^\w+ /, ""));
    } catch {
      // As above.
    }
    return values
      .flatMap((value) => (value === undefined ? [] : secretForms(value)))
      .filter((value) => value.length >= SECRET_MIN_CHARS);
  }
}

/** Elasticsearch shows a key as `id:secret` and as its base64; the header takes the latter. */
function encodedApiKey(key: string): string {
  return key.includes(":") ? Buffer.from(key).toString("base64") : key;
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}
