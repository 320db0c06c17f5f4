import { ConfigurationError, defer, definePlugin, disconnect } from "@mailhost/core";
import { describe, expect, test } from "vitest";
import { TestClock, TranscriptError, type TranscriptOptions, type Way, sink, transcript } from "../src/index.ts";

const plugins = () => [sink()];

/** Answers after a while, and slams the door when told to. */
const moody = definePlugin({
  name: "moody",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.hooks.rcpt.tapPromise("moody", async ({ address }) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (address.localPart === "later") return defer();
      return address.localPart === "go-away" ? disconnect("Go away", { code: 554, status: "5.7.1" }) : undefined;
    });
  },
});

async function failureOf(script: string, options: TranscriptOptions = {}): Promise<string> {
  const error: unknown = await transcript({ plugins: [sink(), moody()], patience: 50, ...options }, script).then(
    () => "it passed",
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TranscriptError);
  return error instanceof Error ? error.message : "";
}

test("holds the dialogue three ways, each with a server of its own", async () => {
  const ways: Way[] = [];
  let made = 0;
  await transcript(
    () => {
      made += 1;
      return { plugins: plugins(), afterwards: (way) => void ways.push(way) };
    },
    `
    # a stranger says hello
    S: 220 mx.example.com ESMTP
    C: EHLO client.test
    S: 250-*
    S: 250-PIPELINING
    S: 250-*
    S: 250-*
    S: 250-*
    S: 250 *
    C: QUIT
    S: 221 *
    S: <close>
  `,
  );
  expect(ways).toEqual(["lines", "groups", "octets"]);
  expect(made).toBe(3);
});

/** Another server greets in one of the three ways. */
const inOneWay = (wanted: number): Promise<void> => {
  let made = 0;
  const options = (): TranscriptOptions => {
    made += 1;
    return { plugins: plugins(), name: made === wanted ? "other.example.com" : "mx.example.com" };
  };
  return transcript(options, "S: 220 mx.example.com ESMTP");
};

describe("a transcript fails", () => {
  test("on a wrong reply, and shows the dialogue and the way it was held", async () => {
    expect(await failureOf("S: 220 *\nC: HELO client.test\nS: 550 *")).toBe(
      [
        "expected S: 550 *",
        "Held line by line:",
        "  S: 220 mx.example.com ESMTP",
        "  C: HELO client.test",
        "  S: 250 mx.example.com",
      ].join("\n"),
    );
  });

  test("on a reply that matches only in part", async () => {
    await failureOf("S: 220");
    await failureOf("S: 220 mx.example.com ESMTP and more");
    await failureOf("S: *ESMTP");
  });

  test("on a reply that never comes", async () => {
    expect(await failureOf("S: 220 *\nS: 250 *")).toContain("S: <silence>");
    expect(await failureOf("S: 220 *\nC: NOOP\nS: 250 *\nS: 250 *")).toContain("expected S: 250 *");
  });

  test("on a reply in place of which the server closed", async () => {
    expect(await failureOf("S: 220 *\nC: QUIT\nS: 221 *\nS: 250 *")).toContain("S: <close>");
  });

  test("on replies that are not in it", async () => {
    const message = await failureOf("S: 220 *\nC: NOOP\nC: RSET\nS: 250 *");
    expect(message).toContain("the server said more than the transcript");
    expect(message).toContain("S: 250 2.0.0 Ok   <- not in the transcript");
    await failureOf("C: NOOP");
    await failureOf("");
  });

  test("on an extra reply behind an async tap", async () => {
    const script = "S: 220 *\nC: HELO c\nS: 250 *\nC: MAIL FROM:<>\nS: 250 *\nC: RCPT TO:<later@example.com>";
    expect(await failureOf(script)).toContain("S: 451 4.7.1");
  });

  test("when the server should close and does not", async () => {
    expect(await failureOf("S: 220 *\nC: NOOP\nS: 250 *\nS: <close>")).toContain("the server did not close");
  });

  test("when the server closes and should not", async () => {
    const script =
      "S: 220 *\nC: HELO c\nS: 250 *\nC: MAIL FROM:<>\nS: 250 *\nC: RCPT TO:<go-away@example.com>\nS: 554 *";
    expect(await failureOf(script)).toContain("the server closed, and the transcript has no S: <close>");
    await transcript({ plugins: [sink(), moody()] }, `${script}\nS: <close>`);
  });

  test("in one way of cutting only, and says in which", async () => {
    await expect(inOneWay(1)).rejects.toThrow("Held line by line:");
    await expect(inOneWay(2)).rejects.toThrow("Held in pipelined groups:");
    await expect(inOneWay(3)).rejects.toThrow("Held octet by octet:");
  });

  test("in what it does afterwards", async () => {
    const options = { plugins: plugins(), afterwards: () => Promise.reject(new Error("no mail came")) };
    await expect(transcript(options, "S: 220 *")).rejects.toThrow("no mail came");
  });

  test("on a configuration that cannot be", async () => {
    await expect(transcript({ plugins: [] }, "S: 220 *")).rejects.toBeInstanceOf(ConfigurationError);
  });

  test("on a line that is no line of a transcript", async () => {
    await expect(transcript({ plugins: plugins() }, "S: 220 *\nEHLO client.test")).rejects.toBeInstanceOf(SyntaxError);
  });
});

describe("what can be said", () => {
  test("a goodbye may be followed by <close> or not", async () => {
    await transcript({ plugins: plugins() }, "S: 220 *\nC: QUIT\nS: 221 *");
    await transcript({ plugins: plugins() }, "S: 220 *\nC: QUIT\nS: 221 *\nS: <close>");
  });

  test("the client may leave without a word", () =>
    transcript({ plugins: plugins() }, "S: 220 *\nC: HELO client.test\nS: 250 *\nC: <close>"));

  test("octets as they are", () =>
    transcript(
      { plugins: plugins() },
      String.raw`
      S: 220 *
      R: NOOP\n
      S: 500 5.5.2 *
      R: \xff\xfe\r\n
      S: 500 *
      R: NO
      R: OP\r\n
      S: 250 *
    `,
    ));

  test("a client of another address, on the listener of that name", () =>
    transcript(
      {
        plugins: plugins(),
        listeners: [{ port: 25 }, { name: "out", port: 587, serverName: "smtp.example.com" }],
        listener: "out",
        client: "2001:db8::7",
      },
      `
      S: 220 smtp.example.com ESMTP
      C: EHLO client.test
      S: 250-smtp.example.com greets 2001:db8::7
      S: 250-PIPELINING
      S: 250-*
      S: 250-*
      S: 250-*
      S: 250 *
    `,
    ));

  test("a client that keeps silent, on a clock that is moved", async () => {
    const clock = new TestClock();
    await transcript(
      () => {
        const late = definePlugin({
          name: "late",
          version: "1.0.0",
          core: "^1.0.0",
          apply(host) {
            host.hooks.ehlo.tap("late", () => void setImmediate(() => clock.advance(300_000)));
          },
        });
        return { plugins: [sink(), late()], clock };
      },
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      S: 421 4.4.2 *
      S: <close>
    `,
    );
  });
});
