import { readFileSync, readdirSync, statSync } from "node:fs";
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
