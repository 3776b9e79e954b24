import { describe, expect, test } from "vitest";
import { refusal } from "../../../src/admin/guard.ts";

describe("guard of the listeners", () => {
  test.each([
    ["127.0.0.1:9600", "127.0.0.1"],
    ["localhost:9600", "127.0.0.1"],
    ["[::1]:9600", "::1"],
    ["10.1.2.3", "0.0.0.0"],
    ["Node-7.Internal:9600", "node-7.internal"],
    [undefined, "127.0.0.1"],
  ])("Host %s passes on a listener bound to %s", (host, listenHost) => {
    expect(refusal(host === undefined ? {} : { host }, listenHost)).toBeUndefined();
  });

  test.each(["attacker.example:9600", "127.0.0.1.attacker.example", "localhost.attacker.example", ""])(
    "Host %s is refused: its name may have been rebound",
    (host) => {
      expect(refusal({ host }, "127.0.0.1")).toContain("Host");
    },
  );

  test("any Host passes where no host is guarded", () => {
    expect(refusal({ host: "pannier.monitoring.svc:9601" }, undefined)).toBeUndefined();
  });

  test("calls by web pages of other origins are refused on both, a typed address passes", () => {
    const host = "127.0.0.1:9600";
    expect(refusal({ host, "sec-fetch-site": "cross-site" }, undefined)).toContain("web pages");
    expect(refusal({ host, origin: "https://attacker.example" }, "127.0.0.1")).toContain("web pages");
    expect(refusal({ host, "sec-fetch-site": "none" }, "127.0.0.1")).toBeUndefined();
    expect(refusal({ host, "sec-fetch-site": "same-origin", origin: `http://${host}` }, "127.0.0.1")).toBeUndefined();
  });
});
