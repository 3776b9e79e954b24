import type { Config } from "../core/config.ts";
import { secretForms } from "../core/secret-forms.ts";

/** Every secret of the configuration as it is now, for those who must never show one. */
export function secretValues(config: Config): string[] {
  return config.sinks.flatMap((sink) =>
    sink.type !== "stdout"
      ? [sink.auth.apiKey, sink.auth.password, sink.auth.bearer, sink.auth.token].flatMap((secret) =>
          secret === undefined ? [] : secretForms(secret.read()),
        )
      : [],
  );
}
