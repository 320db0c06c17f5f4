import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder, run, serve } from "./support.ts";

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
    expect(out).toMatch(/ rcpt +addressable 1\.\d+\.\d+ +\d+\.\d ms +permit local, permit relay\n/);
    expect(out).toMatch(/ rcpt +verdicts 2\.0\.0 +\d+\.\d ms +nothing to say\n/);
    expect(out).toMatch(/ route +jane@shop\.test -> maildir\n/);
    expect(out).toMatch(/ data +verdicts 2\.0\.0 +\d+\.\d ms +add field X-Seen/);
    expect(out).toMatch(/ queue +maildir 1\.\d+\.\d+ +\d+\.\d ms +staged\n/);
    expect(out).toMatch(/S: 250 2\.0\.0 [^]*accepted \(and not delivered\)\n$/);
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
    expect(out).toMatch(/verdicts 2\.0\.0 .* refuses: 550 5\.2\.1 Mailbox closed/);
    expect(out).toMatch(/C: RCPT TO:<x@elsewhere\.test>\n.*\n.*\nS: 550 5\.7\.1/);
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
    expect(jane.out).toMatch(/\(TLS\)[^]*\(logs in: --user\)[^]*identify jane[^]*S: 235/);
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
});

describe("send", () => {
  test("what is sent arrives: subject, text, dots, several recipients, STARTTLS and a password", async () => {
    const cwd = folder({
      ...files,
      "mailhost.config.json": json({
        ...shop,
        plugins: [...shop.plugins, ["starttls", { selfSigned: true }], ["auth-plain", { users: "./users" }]],
      }),
    });
    expect((await run(["user", "add", "jane", "--stdin"], { cwd, input: "correct horse\n" })).code).toBe(0);
    const served = await serve([], { cwd });
    const args = ["send", "--port", String(served.ports[0]), "--to", "jane@shop.test", "--to", "joe@shop.test"];
    const text = ["--subject", "Grüße aus dem Laden", "--body", ".one\n..two\nä"];
    const secure = ["--tls", "starttls", "--user", "jane"];
    const { code, out, err } = await run([...args, ...text, ...secure], {
      cwd,
      env: { MAILHOST_PASSWORD: "correct horse" },
    });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("C: AUTH PLAIN ***");
    expect(out).not.toContain(Buffer.from("correct horse").toString("base64").slice(0, 12));
    for (const box of ["jane", "joe"]) {
      const place = join(cwd, "mail/shop.test", box, "new");
      const stored = readFileSync(join(place, readdirSync(place)[0] ?? ""), "utf8");
      expect(stored).toMatch(/^X-Seen: yes$/m);
      expect(stored).toContain("with ESMTPSA");
      expect(stored).toMatch(/^Subject: =\?UTF-8\?B\?/m);
      expect(stored.endsWith("\n\n.one\n..two\nä\n")).toBe(true);
    }
    const wrong = await run([...args, ...secure], { cwd, env: { MAILHOST_PASSWORD: "wrong" } });
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("535") });
    const file = await run([...args, "--file", "-"], { cwd, input: "Subject: piped\n\n.\n" });
    expect(file.code).toBe(0);
    const refused = await run([...args, "--to", "x@elsewhere.test"], { cwd });
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("550 5.7.1") });
  });

  test("a password does not travel in clear to another machine, and a server's line cannot steer the terminal", async () => {
    const other = createServer((socket) => {
      socket.write("220-\u001b[2Jhello\r\n220 other.test\r\n");
      socket.on("data", (octets) =>
        socket.write(String(octets).startsWith("EHLO") ? "250-other\r\n250 AUTH PLAIN\r\n" : "554 no\r\n"),
      );
      socket.on("error", () => {});
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const address = other.address();
    const port = String(typeof address === "object" ? address?.port : "");
    const { code, out } = await run(["send", "--port", port], { cwd: folder() });
    expect(code).toBe(1);
    expect(out).toContain("S: 220-\\x1b[2Jhello");
    other.close();
  });

  test("recipients that the server wants in the next transaction come in the next one", async () => {
    const config = `export default {
      listeners: [{ host: "127.0.0.1", port: 0 }],
      plugins: [["mux", { routes: {
        "jane@shop.test": () => console.log("for jane"),
        "joe@shop.test": () => console.log("for joe"),
      } }]],
    };`;
    const cwd = folder({ "mailhost.config.mjs": config });
    const served = await serve([], { cwd });
    const to = ["jane@shop.test", "joe@shop.test", "jim@shop.test"].flatMap((one) => ["--to", one]);
    const sent = await run(["send", "--port", String(served.ports[0]), ...to], { cwd });
    expect(sent.out.match(/C: DATA/g)?.length).toBe(2);
    expect(served.out()).toMatch(/for jane\nfor joe\n$/);
    expect(sent).toMatchObject({ code: 1, err: expect.stringContaining("550 5.1.1") });
  });

  test("nobody there", async () => {
    const { code, err } = await run(["send", "--port", "1"], { cwd: folder() });
    expect(code).toBe(1);
    expect(err).toContain("nobody listens on 127.0.0.1:1. Start a server");
  });
});

test("user add, passwd, rm and list keep a password file", async () => {
  const cwd = folder();
  const user = (...args: string[]) => run(["user", ...args], { cwd, input: "one two three\n" });
  expect(await user("add", "jane", "--stdin", "--file", "people")).toMatchObject({
    code: 0,
    out: "added jane to people\n",
  });
  expect(statSync(join(cwd, "people")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(cwd, "people"), "utf8")).not.toContain("one two three");
  expect(await user("add", "jane", "--stdin", "--file", "people")).toMatchObject({ code: 1 });
  expect(await user("add", "ja:ne", "--stdin", "--file", "people")).toMatchObject({ code: 2 });
  expect(await user("passwd", "joe", "--stdin", "--file", "people")).toMatchObject({ code: 1 });
  expect(await user("passwd", "jane", "--stdin", "--file", "people")).toMatchObject({ code: 0 });
  expect(await user("list", "--file", "people")).toMatchObject({ code: 0, out: "jane  scrypt\n" });
  expect(await user("rm", "jane", "--file", "people")).toMatchObject({ code: 0 });
  expect(await user("list", "--file", "people")).toMatchObject({ code: 0, out: "" });
  expect(await user("list", "--file", "gone")).toMatchObject({ code: 1, err: expect.stringContaining("gone") });
});

describe("init", () => {
  test("writes a configuration that works, and never over another", async () => {
    const cwd = folder();
    const wrote = await run(["init", "--yes", "--domain", "shop.test", "--listen", "127.0.0.1:0"], { cwd });
    expect(wrote).toMatchObject({ code: 0, out: expect.stringContaining("wrote mailhost.config.mts") });
    const text = readFileSync(join(cwd, "mailhost.config.mts"), "utf8");
    const checked = await run(["check"], { cwd });
    expect(checked).toMatchObject({ code: 0, err: "", out: expect.stringContaining("domain shop.test") });
    const again = await run(["init", "--yes"], { cwd });
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining("--force") });
    expect(readFileSync(join(cwd, "mailhost.config.mts"), "utf8")).toBe(text);
    const served = await serve([], { cwd });
    const sent = await run(["send", "--port", String(served.ports[0]), "--to", "jane@shop.test"], { cwd });
    expect(sent.code).toBe(0);
    expect(readdirSync(join(cwd, "mail/shop.test/jane/new"))).toHaveLength(1);
    // The server's own name is no mail domain, but its postmaster reads mail (RFC 5321 §4.5.1)
    const postmaster = await run(["send", "--port", String(served.ports[0]), "--to", "postmaster@mx.shop.test"], {
      cwd,
    });
    expect(postmaster.code).toBe(0);
    expect((await run(["init", "--yes", "--force", "--domain", "other.test"], { cwd })).code).toBe(0);
  });

  test("refuses what is no domain and no port, and writes nothing", async () => {
    const cwd = folder();
    expect(await run(["init", "--yes", "--domain", "no domain"], { cwd })).toMatchObject({ code: 2 });
    expect(await run(["init", "--yes", "--listen", "somewhere:smtp"], { cwd })).toMatchObject({ code: 2 });
    expect(readdirSync(cwd)).toEqual([]);
  });
});
