import { describe, expect, test } from "vitest";
import { folder, run } from "./support.ts";

const json = (value: unknown): string => JSON.stringify(value, undefined, 2);
const maildir = ["maildir", { root: "./mail" }];
const sound = {
  name: "mx.shop.test",
  listeners: [{ port: 2525 }],
  plugins: [["addressable", { domains: ["shop.test"] }], ["mux", { routes: { "*@shop.test": "maildir" } }], maildir],
};

/** A relaying transport whose rcpt tap says what is given. */
const relay = (tap: string, permits = "[]"): string => `
import { definePlugin } from "@mailhost/core";
export default definePlugin({ name: "relay", version: "1.0.0", core: "^1.0.0", apply(host) {
  host.extend({ transports: [{ kind: "relay", phases: "two" }], permits: ${permits} });
  host.hooks.rcpt.tap("relay", (recipient, transaction, session) => { ${tap} });
  host.hooks.queue.for("relay").tap("relay", (delivery) => delivery.stage({ commit() {}, abort() {} }));
} });
`;

describe("check", () => {
  test("a sound configuration, with everything that can permit", async () => {
    const { code, out, err } = await run(["check"], { cwd: folder({ "mailhost.config.json": json(sound) }) });
    expect(err).toBe("");
    expect(out).toContain("listener 2525 (transfer): addressable 1.");
    expect(out).toContain("local  addressable: domain shop.test");
    expect(out).toContain("no problems");
    expect(code).toBe(0);
  });

  test("--json, for programs", async () => {
    const cwd = folder({
      "mailhost.config.json": json({ ...sound, nmae: 1, plugins: ["greylist", ...sound.plugins] }),
    });
    const { code, out } = await run(["check", "--json"], { cwd });
    const found = JSON.parse(out);
    expect(code).toBe(78);
    expect(found).toMatchObject({ ok: false, file: `${cwd}/mailhost.config.json` });
    expect(found.problems).toEqual([
      expect.objectContaining({ code: "UNKNOWN_PLUGIN", where: "plugins[0]", line: 9, column: 5 }),
      expect.objectContaining({ code: "UNKNOWN_OPTION", where: "nmae", mend: "Did you mean name?" }),
    ]);
  });

  test("an open relay by a plugin's hand is found, with the line of the plugin", async () => {
    const cwd = folder({
      "mailhost.config.json": json({ ...sound, plugins: [...sound.plugins, "./relay.ts"] }),
      "relay.ts": relay('recipient.permit("relay"); recipient.routeTo({ transport: "relay" });'),
    });
    const { code, out } = await run(["check"], { cwd });
    expect(code).toBe(78);
    expect(out).toMatch(/mailhost\.config\.json:\d+:5 plugins\[3\]/);
    expect(out).toMatch(
      /takes mail for probe@relay-probe\.invalid from a stranger .* and passes it on: plugin relay permits it/,
    );
  });

  test("an open relay is found behind TLS, for one sender, on the second listener", async () => {
    const cwd = folder({
      "mailhost.config.json": json({
        ...sound,
        listeners: [
          { port: 2525 },
          { name: "inner", port: 2526, plugins: [["starttls", { selfSigned: true }], "./relay.ts"] },
        ],
      }),
      "relay.ts": relay(`
        if (session.tls === undefined || transaction.reversePath?.localPart !== "postmaster") return;
        recipient.permit("relay");
        recipient.routeTo({ transport: "relay" });`),
    });
    const { code, out } = await run(["check"], { cwd });
    expect(out).toContain("listener inner takes mail for");
    expect(out).toContain("listeners[1].plugins[1]");
    expect(code).toBe(78);
  });

  test("an open relay is found behind a plugin that lets strangers wait", async () => {
    const plugins = [...sound.plugins, ["early-talker", { wait: 2000 }], "./relay.ts"];
    const cwd = folder({
      "mailhost.config.json": json({ ...sound, plugins }),
      "relay.ts": relay('recipient.permit("relay"); recipient.routeTo({ transport: "relay" });'),
    });
    const { code, out } = await run(["check"], { cwd });
    expect(out).not.toContain("could not be probed");
    expect(out).toContain("and passes it on: plugin relay permits it");
    expect(code).toBe(78);
  });

  test("taking mail for every domain is a problem unless catchAll is said", async () => {
    const accept = `import { addressable } from "@mailhost/plugin-addressable";
      export default { plugins: [addressable({ ACCEPT }), ["maildir", { root: "./mail" }]], default: { local: "maildir" } };`;
    const said = await run(["check"], {
      cwd: folder({ "mailhost.config.mjs": accept.replace("ACCEPT", "catchAll: true") }),
    });
    expect(said.code).toBe(0);
    expect(said.out).toMatch(/warning: .*addressable permits every domain/);
    const unsaid = await run(["check"], {
      cwd: folder({ "mailhost.config.mjs": accept.replace("ACCEPT", "accept: () => true") }),
    });
    expect(unsaid.out).toContain("and stores it: plugin addressable permits it");
    expect(unsaid.out).toContain("say catchAll when that is meant");
    expect(unsaid.code).toBe(78);
  });

  test("a network that is everybody is a problem", async () => {
    const networks = (...listed: string[]): string =>
      json({ ...sound, plugins: [["addressable", { domains: ["shop.test"], relay: { networks: listed } }], maildir] });
    for (const everybody of ["0.0.0.0/0", "128.0.0.0/1", "::/0"]) {
      const { code, out } = await run(["check"], { cwd: folder({ "mailhost.config.json": networks(everybody) }) });
      expect(out).toContain(everybody);
      expect(code).toBe(78);
    }
    const own = await run(["check"], { cwd: folder({ "mailhost.config.json": networks("192.0.2.0/24") }) });
    expect(own.out).toContain("relay  addressable: network 192.0.2.0/24");
    expect(own.code).toBe(0);
  });

  test("a listener where nobody can permit is warned of", async () => {
    const { code, out } = await run(["check"], {
      cwd: folder({ "mailhost.config.json": json({ plugins: [maildir] }) }),
    });
    expect(out).toMatch(/warning: listener 2525: no plugin judges recipients/);
    expect(code).toBe(0);
  });

  test("a listener that defers strangers is warned of, and one that hangs up takes nothing", async () => {
    const greylist = `import { defer, definePlugin, disconnect } from "@mailhost/core";
      export default definePlugin({ name: "greylist", version: "1.0.0", core: "^1.0.0", apply(host) {
        host.hooks.rcpt.tap("greylist", () => VERDICT("Not yet")); } });`;
    const files = (verdict: string) => ({
      "mailhost.config.json": json({ ...sound, plugins: [...sound.plugins, "./greylist.ts"] }),
      "greylist.ts": greylist.replace("VERDICT", verdict),
    });
    const deferred = await run(["check"], { cwd: folder(files("defer")) });
    expect(deferred.out).toContain("deferred probes for an open relay, so nothing is known");
    expect(deferred.code).toBe(0);
    const closed = await run(["check"], { cwd: folder(files("disconnect")) });
    expect(closed.out).toContain("no problems");
    expect(closed.code).toBe(0);
  });

  test("probes and tries stand in no watcher's log", async () => {
    const cwd = folder({ "mailhost.config.json": json({ ...sound, plugins: [...sound.plugins, "debug-log"] }) });
    const { err } = await run(["check"], { cwd });
    expect(err).toBe("");
  });
});

test("hooks prints every tap in order, and why", async () => {
  const cwd = folder({
    "mailhost.config.json": json({ ...sound, plugins: [...sound.plugins, "./first.ts"] }),
    "first.ts": `import { definePlugin } from "@mailhost/core";
      export default definePlugin({ name: "first", version: "3.2.1", core: "^1.0.0", onFailure: "ignore", apply(host) {
        host.hooks.rcpt.tapPromise({ name: "ahead", stage: "first" }, async () => {}); } });`,
  });
  const { code, out } = await run(["hooks"], { cwd });
  expect(code).toBe(0);
  expect(out).toMatch(
    /listener 2525 \(transfer\)\n  rcpt\n {4}1\. {2}first: ahead +3\.2\.1 +promise +stage first +failure: ignore\n {4}2\. {2}addressable/,
  );
  expect(out).toContain("queue maildir");
  const [listener] = JSON.parse((await run(["hooks", "--json"], { cwd })).out);
  expect(listener.taps[0]).toMatchObject({ hook: "rcpt", plugin: "first", tap: "ahead", why: "stage first" });
});
