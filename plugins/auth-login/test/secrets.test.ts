import { Writable } from "node:stream";
import { type Log, type TraceEvent, definePlugin } from "@mailhost/core";
import { debugLog } from "@mailhost/plugin-debug-log";
import { sink, transcript } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { authLogin } from "../src/index.ts";
import { askPassword, askUsername, base64, verifier } from "./kit.ts";

const user = "jane.q.public@example.com";
const secrets = ["s3cr3t right", "s3cr3t wrong", "s3cr3t typed in clear!"];

test("neither name nor password is in the log or the trace, at any level", async () => {
  const seen: string[] = [];
  const note = (fields: object, message: string): void => void seen.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const watcher = definePlugin({
    name: "watcher",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) =>
      host.hooks.trace.tap("watcher", ({ session: _session, ...event }: TraceEvent) => {
        seen.push(JSON.stringify(event));
      }),
  });
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      seen.push(chunk.toString());
      done();
    },
  });
  await transcript(
    () => ({
      log,
      limits: { errors: 99, authFailures: 99 },
      plugins: [
        debugLog({ text: stream, body: "all" }),
        debugLog({ text: false, ndjson: stream, body: "all" }, { as: "debug-log-2" }),
        watcher(),
        verifier(),
        authLogin({ allowInsecure: true }),
        sink(),
      ],
    }),
    `
    S: 220 *
    C: HELO client.test
    S: 250 *
    C: AUTH LOGIN
    ${askUsername}
    C: ${base64(user)}
    ${askPassword}
    C: ${base64("s3cr3t right")}
    S: 535 5.7.8 *
    C: AUTH LOGIN ${base64(user)}
    ${askPassword}
    C: ${base64("s3cr3t wrong")}
    S: 535 5.7.8 *
    # A person with telnet
    C: AUTH LOGIN
    ${askUsername}
    C: ${user}
    S: 501 5.5.2 *
    C: s3cr3t typed in clear!
    S: 500 5.5.1 *
    C: AUTH LOGIN ${user}
    S: 501 5.5.2 *
  `,
  );
  const all = seen.join("\n");
  expect(all).toContain("AUTH LOGIN");
  for (const secret of [user, ...secrets]) {
    expect(all).not.toContain(secret);
    expect(all).not.toContain(base64(secret));
  }
});
