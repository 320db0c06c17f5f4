import { describe, expect, test } from "vitest";
import { formatDate, receivedField, withProtocol } from "../../src/message/received.ts";
import { parseAddress } from "../../src/protocol/address.ts";
import type { Session, TlsInfo, Transaction } from "../../src/protocol/session.ts";
import { latin1 } from "../support/spool.ts";

const tls: TlsInfo = { protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" };
const at = Date.UTC(2026, 0, 2, 3, 4, 5);

const session = (parts: Partial<Session> = {}): Session => ({
  id: "S1",
  serverName: "mx.example.com",
  mode: "transfer",
  listener: "25",
  client: { address: "192.0.2.1", port: 40000 },
  local: { address: "192.0.2.25", port: 25 },
  greeting: { name: "client.test", extended: true },
  tls: undefined,
  identity: undefined,
  spokeEarly: false,
  dryRun: false,
  startedAt: at,
  ...parts,
});

const transaction = (recipients: readonly string[], smtputf8 = false): Transaction => ({
  id: "T1",
  reversePath: null,
  parameters: new Map(),
  smtputf8,
  recipients: recipients.map((text) => {
    const address = parseAddress(text) ?? { localPart: text, domain: "", text };
    return { address, parameters: new Map(), kind: "local", route: { transport: "sink" } };
  }),
});

const field = (one: Session, to: readonly string[] = []): string => latin1(receivedField(one, transaction(to), at).raw);

// RFC 3848 §2 and RFC 6531 §4.3
test.each<[extended: boolean, tls: boolean, auth: boolean, utf8: boolean, word: string]>([
  [false, false, false, false, "SMTP"],
  [false, true, false, false, "SMTP"],
  [true, false, false, false, "ESMTP"],
  [true, true, false, false, "ESMTPS"],
  [true, false, true, false, "ESMTPA"],
  [true, true, true, false, "ESMTPSA"],
  [true, false, false, true, "UTF8SMTP"],
  [true, true, false, true, "UTF8SMTPS"],
  [true, false, true, true, "UTF8SMTPA"],
  [true, true, true, true, "UTF8SMTPSA"],
])("extended %s, TLS %s, AUTH %s, SMTPUTF8 %s: with %s", (extended, secured, auth, utf8, word) => {
  const one = session({
    greeting: { name: "client.test", extended },
    tls: secured ? tls : undefined,
    identity: auth ? { name: "jane" } : undefined,
  });
  expect(withProtocol(one, utf8)).toBe(word);
});

describe("the Received field", () => {
  test("has all that RFC 5321 §4.4 wants", () => {
    expect(field(session(), ["jane@example.com"])).toBe(
      "Received: from client.test ([192.0.2.1])\r\n" +
        "\tby mx.example.com with ESMTP id T1\r\n" +
        "\tfor <jane@example.com>;\r\n" +
        "\tFri, 02 Jan 2026 03:04:05 +0000\r\n",
    );
  });

  test("names a recipient only when there is one", () => {
    expect(field(session(), ["jane@example.com", "joe@example.com"])).not.toContain("for <");
    expect(field(session())).not.toContain("for <");
  });

  test("writes an IPv6 client as a literal", () => {
    expect(field(session({ client: { address: "2001:db8::1", port: 1 } }))).toContain("([IPv6:2001:db8::1])");
  });

  test("a session without greeting is known by its address", () => {
    expect(field(session({ greeting: undefined }))).toContain("from [192.0.2.1] (helo=)\r\n");
  });

  test.each([
    ["mail_host", "from mail_host ([192.0.2.1])"],
    ["[127.0.0.1]", "from [127.0.0.1] ([192.0.2.1])"],
    ["[IPv6:::1]", "from [IPv6:::1] ([192.0.2.1])"],
    ["a(b", String.raw`from [192.0.2.1] (helo=a\(b)`],
    ["a)b", String.raw`from [192.0.2.1] (helo=a\)b)`],
    ["a\\", String.raw`from [192.0.2.1] (helo=a\\)`],
    ["a;b", "from [192.0.2.1] (helo=a;b)"],
    ["b\u00fccher", "from [192.0.2.1] (helo=b?cher)"],
    ["a\r\nb", "from [192.0.2.1] (helo=a??b)"],
    ["<x@y>", "from [192.0.2.1] (helo=<x@y>)"],
  ])("escapes the greeting %j", (name, written) => {
    expect(field(session({ greeting: { name, extended: true } })).split("\r\n")[0]).toBe(`Received: ${written}`);
  });

  test("quotes a local part that must be quoted", () => {
    expect(field(session(), ['"jane; doe"@example.com'])).toContain('for <"jane; doe"@example.com>;');
  });
});

test("dates are those of RFC 5322", () => {
  expect(formatDate(0)).toBe("Thu, 01 Jan 1970 00:00:00 +0000");
  expect(formatDate(Date.UTC(2026, 1, 28, 23, 59, 59))).toBe("Sat, 28 Feb 2026 23:59:59 +0000");
});
