import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder, run } from "./support.ts";

const json = (value: unknown): string => JSON.stringify(value, undefined, 2);
const shop = {
  name: "mx.shop.test",
  listeners: [{ host: "127.0.0.1", port: 0 }],
  plugins: [["addressable", { domains: ["shop.test"] }], ["maildir", { root: "./mail" }], "./verdicts.ts"],
  default: { local: "maildir" },
};
const verdicts = `import { definePlugin, reject } from "@mailhost/core";
  export default definePlugin({ name: "verdicts", version: "2.0.0", core: "^1.0.0", apply(host) {
    host.hooks.rcpt.tapPromise("closed", async ({ address }) =>
      address.localPart === "closed" ? reject("Mailbox closed", { code: 550, status: "5.2.1" }) : undefined);
    host.hooks.data.tap("stamp", (message) => message.addField("X-Seen", "yes")); } });`;
const files = { "mailhost.config.json": json(shop), "verdicts.ts": verdicts };

describe("try", () => {
  test("shows each verdict, the edits, the route and the final reply, and delivers nothing", async () => {
    const cwd = folder(files);
    const { code, out, err } = await run(["try", "--from", "a@client.test", "--to", "jane@shop.test"], { cwd });
    expect(err).toBe("");
    expect(out).toMatch(/C: RCPT TO:<jane@shop\.test>\n/);
    expect(out).toMatch(/S: 250 2\.0\.0 [^]*session \w+, listener .*, client 203\.0\.113\.77, \d+\.\d ms, quit\n/);
    expect(out).toMatch(/\n +start +ms +hook +plugin +outcome\ntransaction \w+\n/);
    const row = " +\\d+\\.\\d +\\d+\\.\\d  ";
    const jane = "\\[jane@shop\\.test\\]";
    const rows = [
      `${row}rcpt +addressable 1\\.\\d+\\.\\d+ +permit local, permit relay ${jane}`,
      `${row}rcpt +verdicts 2\\.0\\.0, closed +silent ${jane}`,
      " +\\d+\\.\\d +\\(route\\) +jane@shop\\.test -> maildir",
      `${row}\\(body\\) +\\d+ octets`,
      `${row}data +verdicts 2\\.0\\.0, stamp +add field X-Seen`,
      `${row}queue +maildir 1\\.\\d+\\.\\d+, \\w+ +staged`,
      `${row}\\(answer\\) +250 2\\.0\\.0 Ok: queued as \\w+`,
    ];
    expect(out).toMatch(new RegExp(`\n${rows.join("\n")}\n\n`));
    expect(out).toMatch(/accepted \(and not delivered\)\n$/);
    expect(code).toBe(0);
    const box = join(cwd, "mail/shop.test/jane");
    for (const place of ["new", "tmp", "cur"])
      if (existsSync(join(box, place))) expect(readdirSync(join(box, place))).toEqual([]);
  });

  test("says who refuses, and ends with 1", async () => {
    const { code, out } = await run(
      [
        "try",
        "--from",
        "<>",
        "--to",
        "closed@shop.test",
        "--to",
        "x@elsewhere.test",
        "--ip",
        "2001:db8::5",
        "--helo",
        "me.test",
      ],
      { cwd: folder(files) },
    );
    expect(out).toContain("client 2001:db8::5");
    expect(out).toContain("C: EHLO me.test");
    expect(out).toMatch(/C: RCPT TO:<closed@shop\.test>\n   verdicts refuses\nS: 550 5\.2\.1 Mailbox closed\n/);
    expect(out).toMatch(/C: RCPT TO:<x@elsewhere\.test>\nS: 550 5\.7\.1/);
    expect(out).toMatch(/rcpt +verdicts 2\.0\.0, closed +refuses: 550 5\.2\.1 Mailbox closed \[closed@shop\.test\]\n/);
    expect(out).toMatch(/refused\n$/);
    expect(code).toBe(1);
  });

  test("--user is somebody without a password, on the listener that is named", async () => {
    const cwd = folder({
      ...files,
      users: "",
      "mailhost.config.json": json({
        ...shop,
        listeners: [
          { name: "mx", port: 0 },
          {
            name: "submission",
            port: 0,
            mode: "submission",
            plugins: [
              ["starttls", { selfSigned: true, requireTls: true }],
              ["auth-plain", { users: "./users" }],
            ],
          },
        ],
      }),
    });
    const args = ["try", "--from", "jane@shop.test", "--to", "joe@shop.test", "--listener", "submission"];
    const stranger = await run(args, { cwd });
    expect(stranger.out).toMatch(/S: 530 5\.7\.0 Authentication required/);
    expect(stranger.code).toBe(1);
    const jane = await run([...args, "--user", "jane"], { cwd });
    expect(jane.out).toMatch(/\(TLS\)[^]*\(logs in: --user\)[^]*S: 235[^]*auth +\(--user\) .* identify jane/);
    expect(jane.code).toBe(0);
    const clear = await run([...args, "--user", "jane", "--no-tls"], { cwd });
    expect(clear.out).toMatch(/S: 530/);
    const other = await run(["try", "--from", "a@b.test", "--to", "c@d.test", "--listener", "smtp"], { cwd });
    expect(other).toMatchObject({ code: 2, err: expect.stringContaining("only mx, submission") });
  });

  test("--message hands in a file", async () => {
    const cwd = folder({ ...files, "letter.eml": "Subject: mine\n\n.dot\n" });
    const args = ["try", "--from", "a@client.test", "--to", "jane@shop.test", "--message"];
    expect((await run([...args, "letter.eml"], { cwd })).code).toBe(0);
    const gone = await run([...args, "gone.eml"], { cwd });
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining("gone.eml") });
  });

  test("--json: dialogue, waterfall and outcome for programs", async () => {
    const cwd = folder(files);
    const args = ["try", "--json", "--from", "a@client.test", "--to", "jane@shop.test", "--to"];
    const taken = await run([...args, "joe@shop.test"], { cwd });
    const report = JSON.parse(taken.out);
    expect(report).toMatchObject({
      accepted: true,
      client: "203.0.113.77",
      waterfall: { v: 1, end: "quit", dropped: 0 },
    });
    expect(report.dialogue[0]).toEqual({ who: "server", line: "220 mx.shop.test ESMTP" });
    expect(report.dialogue).toContainEqual({ who: "client", line: "RCPT TO:<jane@shop.test>" });
    const [id] = report.waterfall.transactions;
    expect(report.dialogue.map(({ line }: { line: string }) => line)).toContain(`250 2.0.0 Ok: queued as ${id}`);
    expect(report.waterfall.rows.map(({ type }: { type: string }) => type)).toEqual(
      ["tap", "tap", "route", "tap", "tap", "route", "body", "tap", "tap", "delivered"], // prettier-ignore
    );
    expect(report.waterfall.rows).toContainEqual(
      expect.objectContaining({ hook: "data", edits: [{ kind: "add", field: "X-Seen", touchedBy: [] }] }),
    );
    const refused = await run([...args, "closed@shop.test"], { cwd });
    expect([refused.code, JSON.parse(refused.out).accepted]).toEqual([1, false]);
  });

  test("a configured waterfall stays out of it: the dialogue belongs in nobody's log", async () => {
    const cwd = folder({
      ...files,
      "mailhost.config.json": json({ ...shop, plugins: [...shop.plugins, "waterfall"] }),
    });
    const { code, out, err } = await run(["try", "--from", "a@client.test", "--to", "jane@shop.test"], { cwd });
    expect([code, err, out.match(/^session /gm)?.length]).toEqual([0, "", 1]);
  });
});
