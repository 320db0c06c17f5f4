import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Host,
  type PluginDefinition,
  type Refusal,
  type Session,
  type Transaction,
  defer,
  definePlugin,
  nobody,
  reject,
  row,
} from "@mailhost/core";
import { afterAll, describe, expect, test, vi } from "vitest";
import {
  type CheckName,
  ContractError,
  type ContractOptions,
  type ContractReport,
  TestResolver,
  contract,
  sink,
} from "../src/index.ts";

// Checks of memory hold hundreds of sessions: fifteen seconds where nothing else runs
vi.setConfig({ testTimeout: 90_000 });

const folder = mkdtempSync(join(tmpdir(), "mailhost-contract-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A plugin from what it does. */
const plugin = (
  apply: (host: Host) => void | Promise<void>,
  more: Partial<PluginDefinition<Record<string, never>>> = {},
) => definePlugin({ name: "patient", version: "1.0.0", core: "^1.0.0", apply, ...more });

/** The report, good or bad. */
async function inspect(
  make: ReturnType<typeof plugin>,
  options: ContractOptions<Record<string, never>> = {},
): Promise<ContractReport> {
  try {
    return await contract(make, options);
  } catch (error) {
    if (error instanceof ContractError) return error.report;
    throw error;
  }
}

/** What a bad plugin is told, by check. */
async function failures(
  make: ReturnType<typeof plugin>,
  only?: readonly CheckName[],
  options: ContractOptions<Record<string, never>> = {},
): Promise<Record<string, string>> {
  const { checks } = await inspect(make, { ...options, ...(only === undefined ? {} : { only }) });
  return Object.fromEntries(checks.filter(({ ok }) => !ok).map(({ name, what, mend }) => [name, `${what} | ${mend}`]));
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, milliseconds));

describe("a plugin that is well", () => {
  test("passes every check, quickly, and gets a report", async () => {
    const report = await contract(
      plugin((host) => {
        host.hooks.connect.tap("welcome", () => undefined);
        host.hooks.rcpt.tapPromise("ask", async (_recipient, { reversePath }, _session, signal) => {
          await host.resolver.resolveMx(reversePath?.domain ?? "example.com").catch(() => []);
          return signal.aborted ? undefined : undefined;
        });
        host.hooks.data.tapAsync("mark", (message, _transaction, _session, _signal, callback) => {
          message.addField("X-Seen", "yes");
          setImmediate(callback);
        });
      }),
    );
    expect(report.checks.map(({ name }) => name)).toEqual([
      "manifest",
      "options",
      "accepted message",
      "null reverse-path",
      "unusual addresses",
      "unusual content",
      "RSET storm",
      "100 recipients",
      "hostile input",
      "disconnect",
      "deadline",
      "DNS",
      "20 MB message",
      "reload under load",
      "twice",
      "two listeners",
      "memory",
      "close",
    ]);
    expect(report).toMatchObject({ plugin: "patient", passed: 18, failed: 0 });
    expect(report.checks.every(({ what, mend }) => what === "" && mend === "")).toBe(true);
  });

  test("may wait on the clock of its host, which moves on for it", async () => {
    const slow = plugin((host) => {
      host.hooks.ehlo.tapPromise(
        "slow",
        (_greeting, _session, signal) =>
          new Promise((resolve) => {
            const cancel = host.clock.after(3000, resolve);
            signal.addEventListener("abort", () => {
              cancel();
              resolve(undefined);
            });
          }),
      );
    });
    const only = ["accepted message", "null reverse-path", "disconnect", "deadline", "close"] as const;
    expect(await failures(slow, only)).toEqual({});
  });

  test("may refuse a stranger at first: prepare makes it known", async () => {
    const known = plugin(async (host) => {
      const met = await host.shared("met", () => new Set<string>());
      host.hooks.rcpt.tap("met", (_recipient, _transaction, { client }) => {
        if (met.has(client.address)) return;
        met.add(client.address);
        return reject("Come again");
      });
    });
    expect(await failures(known, ["accepted message"])).toHaveProperty("accepted message");
    const prepare: ContractOptions<Record<string, never>>["prepare"] = async (server) => {
      const speaker = server.client();
      await speaker.reply();
      await speaker.ask("EHLO client.test");
      await speaker.deliver({ to: "jane@example.com" });
    };
    expect(await failures(known, undefined, { prepare })).toEqual({});
  });
});

describe("a plugin is found out", () => {
  test("that throws on a null reverse-path", async () => {
    const found = await failures(
      plugin((host) =>
        host.hooks.rcpt.tap("sender", (_recipient, { reversePath }) =>
          (reversePath as { domain: string }).domain === "bad.test" ? reject() : undefined,
        ),
      ),
      ["accepted message", "null reverse-path", "twice"],
    );
    expect(Object.keys(found)).toContain("null reverse-path");
    expect(found["null reverse-path"]).toMatch(
      /MAIL FROM:<>: the tap sender of rcpt failed: TypeError.*contract\.test\.ts.*look before you read it/s,
    );
  });

  test("that answers twice", async () => {
    const found = await failures(
      plugin((host) =>
        host.hooks.rcpt.tapAsync("double", (_recipient, _transaction, _session, _signal, done) => {
          done();
          done();
        }),
      ),
      ["accepted message"],
    );
    expect(found["accepted message"]).toMatch(/the tap double of rcpt answered twice.*once/s);
  });

  test("that refuses every null reverse-path, but not when it says so", async () => {
    const only = ["accepted message", "null reverse-path"] as const;
    const harsh = plugin((host) =>
      host.hooks.rcpt.tap("harsh", (_recipient, { reversePath }) => (reversePath === null ? reject() : undefined)),
    );
    const found = await failures(harsh, only);
    expect(Object.keys(found)).toEqual(["null reverse-path"]);
    expect(found["null reverse-path"]).toMatch(/a message from <> to jane@example\.com is answered: 550/);
    expect(await failures(harsh, only, { skip: { "null reverse-path": "it sends nothing" } })).toEqual({});
    const careful = plugin((host) =>
      host.hooks.data.tap("later", (_message, { reversePath }) => (reversePath === null ? defer() : undefined)),
    );
    expect(await failures(careful, only)).toEqual({});
  });

  test("that keeps something of every sender", async () => {
    const met = new Map<string, string[]>();
    const found = await failures(
      plugin((host) =>
        host.hooks.rcpt.tap("met", (_recipient, { reversePath }) => {
          const key = `${reversePath?.localPart}@${reversePath?.domain}`;
          if (!met.has(key))
            met.set(
              key,
              Array.from({ length: 300 }, (_, at) => `${key} ${at}`),
            );
        }),
      ),
      ["accepted message", "memory"],
    );
    expect(Object.keys(found)).toEqual(["memory"]);
  });

  test("that throws on UTF-8", async () => {
    const found = await failures(
      plugin((host) =>
        host.hooks.rcpt.tap("ascii", (recipient) => {
          // oxlint-disable-next-line no-control-regex -- ASCII is what it is about
          if (/[^\x00-\x7f]/.test(recipient.address.localPart)) throw new RangeError("not ASCII");
        }),
      ),
      ["accepted message", "null reverse-path", "unusual addresses", "unusual content"],
    );
    expect(Object.keys(found)).toEqual(["unusual addresses"]);
    expect(found["unusual addresses"]).toContain(
      "RCPT TO:<ünï@example.com>: the tap ascii of rcpt failed: RangeError: not ASCII",
    );
  });

  test("that throws on octets that are no UTF-8", async () => {
    const found = await failures(
      plugin((host) =>
        host.hooks.data.tapPromise("decode", async (message) => {
          new TextDecoder("utf-8", { fatal: true }).decode(await message.bytes());
        }),
      ),
      ["accepted message", "unusual addresses", "unusual content"],
    );
    expect(Object.keys(found)).toEqual(["unusual content"]);
  });

  test("that waits on for a client who has left", async () => {
    const found = await failures(
      plugin((host) => {
        host.hooks.rcpt.tapPromise(
          "deaf",
          () => new Promise((resolve) => void host.clock.after(5000, () => resolve(undefined))),
        );
      }),
      ["accepted message", "disconnect", "deadline", "close"],
    );
    expect(Object.keys(found)).toEqual(["disconnect"]);
    expect(found["disconnect"]).toMatch(
      /the client left during rcpt, and the tap deaf did not settle within two seconds.*signal/s,
    );
  });

  test("that does not survive DNS", async () => {
    const resolver = () => new TestResolver({ "example.com": { mx: [{ exchange: "mx.example.com", priority: 10 }] } });
    const found = await failures(
      plugin((host) => {
        host.hooks.rcpt.tapPromise("mx", async () => {
          await host.resolver.resolveMx("example.com");
        });
      }),
      ["accepted message", "DNS", "disconnect", "deadline"],
      { resolver },
    );
    expect(Object.keys(found)).toEqual(["DNS"]);
    expect(found["DNS"]).toContain(
      "DNS answers ESERVFAIL: the tap mx of rcpt failed: Error: queryMx ESERVFAIL example.com",
    );
  });

  test("that keeps one state for all generations", async () => {
    let open: { judge: () => void } | undefined;
    const found = await failures(
      plugin((host) => {
        open = { judge: () => {} };
        host.hooks.rcpt.tap("one", () => (open as { judge: () => void }).judge());
        host.onClose(() => {
          open = undefined;
        });
      }),
      ["accepted message", "reload under load"],
    );
    expect(found).toHaveProperty("reload under load");
    expect(found["reload under load"]).toContain("host.shared");
  });

  test("that cannot stand twice", async () => {
    let held = 0;
    const found = await failures(
      plugin((host) => {
        if (host.name !== "patient") throw new Error("there can be only one");
        held += 1;
      }),
      ["accepted message", "twice", "two listeners"],
    );
    expect(held).toBeGreaterThan(0);
    expect(Object.keys(found)).toEqual(["twice"]);
    expect(found["twice"]).toContain("there can be only one");
  });

  test("that names its transport for good", async () => {
    const found = await failures(
      plugin((host) => {
        host.extend({ transports: [{ name: "hole", kind: "local", phases: "two" }] });
        host.hooks.rcpt.tap("hole", (recipient) => {
          recipient.permit("local");
          recipient.routeTo({ transport: "hole" });
        });
        host.hooks.queue.for("hole").tap("hole", (delivery) => delivery.stage({ commit: () => {}, abort: () => {} }));
      }),
      ["accepted message", "twice", "two listeners"],
      { companions: () => [] },
    );
    expect(Object.keys(found)).toEqual(["twice"]);
    expect(found["twice"]).toContain("queue.for(host.name)");
  });

  test("that keeps sessions, or generations, for good", async () => {
    const sessions: Session[] = [];
    const held = plugin((host) => host.hooks.connect.tap("keep", (session) => void sessions.push(session)));
    expect((await failures(held, ["accepted message", "memory"]))["memory"]).toContain("sessions are still held");
    const hosts: Host[] = [];
    const found = await failures(
      plugin((host) => void hosts.push(host)),
      ["memory", "reload under load"],
    );
    expect(Object.keys(found)).toEqual(["reload under load"]);
    expect(found["reload under load"]).toContain("old generations are still held");
  });

  test("that keeps something of every session", async () => {
    const kept: string[] = [];
    const found = await failures(
      plugin((host) => {
        host.hooks.ehlo.tap(
          "keep",
          (_greeting, { id }) => void kept.push(...Array.from({ length: 200 }, (_, at) => `${id} ${at}`)),
        );
      }),
      ["accepted message", "memory", "close"],
    );
    expect(Object.keys(found)).toEqual(["memory"]);
    expect(found["memory"]).toMatch(/each session leaves \d+ KiB behind/);
  });

  test("that leaves timers and files open", async () => {
    const file = join(folder, "open");
    writeFileSync(file, "");
    const found = await failures(
      plugin((host) => {
        setInterval(() => {}, 1000).unref();
        openSync(file, "r");
        host.clock.after(3_600_000, () => {});
      }),
      ["accepted message", "close"],
    );
    expect(Object.keys(found)).toEqual(["close"]);
    expect(found["close"]).toMatch(
      /a timer \(.*contract\.test\.ts.*the file .*open \(descriptor \d+\).*timers of host\.clock/s,
    );
  });

  test("that forgets files it has read", async () => {
    const file = join(folder, "forgotten");
    writeFileSync(file, "a list");
    let read = 0;
    const found = await failures(
      plugin((host) => {
        host.hooks.ehlo.tapPromise("list", async () => {
          read += 1;
          if (read === 3) await (await open(file)).readFile();
        });
      }),
      ["accepted message", "memory"],
    );
    expect(Object.keys(found)).toEqual(["memory"]);
    expect(found["memory"]).toMatch(/clos.* garbage collection/i);
  });

  test("whose onClose does not end", async () => {
    const found = await failures(
      plugin((host) => host.onClose(() => new Promise(() => {}))),
      ["accepted message", "reload under load"],
    );
    expect(found["reload under load"]).toContain("onClose did not end");
  });

  test("that leaves a rejection to the process, and an error in a timer", async () => {
    const found = await failures(
      plugin((host) => {
        host.hooks.data.tap("floating", () => {
          void pause(1).then(() => Promise.reject(new Error("nobody hears me")));
          setTimeout(() => {
            throw new Error("nor me");
          }, 1);
        });
      }),
      ["accepted message", "unusual content", "RSET storm"],
    );
    expect(Object.values(found).join()).toMatch(/nobody handled: Error: nobody hears me/);
    expect(Object.values(found).join()).toMatch(/an error outside of every tap: Error: nor me/);
  });

  test("that holds a large message several times", async () => {
    const found = await failures(
      plugin((host) => {
        host.hooks.data.tapPromise("copies", async (message) => {
          const copies: Uint8Array[] = [];
          for (let count = 0; count < 5; count += 1) copies.push(await message.bytes());
          await pause(1);
          return copies.length === 0 ? reject() : undefined;
        });
      }),
      ["accepted message", "20 MB message", "memory"],
    );
    expect(Object.keys(found)).toEqual(["20 MB message"]);
    expect(found["20 MB message"]).toMatch(/held \d+ MB.*message\.open\(\)/s);
  });

  test("that takes a session for a transaction", async () => {
    const found = await failures(
      plugin((host) => {
        const met = new WeakSet<Session>();
        host.hooks.rcpt.tap("once", (_recipient, _transaction, session) => {
          if (met.has(session)) throw new Error("a second message");
          met.add(session);
        });
      }),
      ["accepted message", "RSET storm", "close"],
    );
    expect(Object.keys(found)).toEqual(["RSET storm"]);
    expect(found["RSET storm"]).toContain("30 times MAIL, RCPT, RSET in one write: the tap once of rcpt failed");
  });

  test("that judges one recipient and means all", async () => {
    const found = await failures(
      plugin((host) => {
        const verdicts = new WeakMap<Transaction, Refusal | undefined>();
        host.hooks.rcpt.tap("first", ({ address }, transaction) => {
          if (!verdicts.has(transaction)) verdicts.set(transaction, address.localPart === "joe" ? reject() : undefined);
          return verdicts.get(transaction);
        });
      }),
      ["accepted message", "100 recipients"],
      { refused: ["joe@example.com"] },
    );
    expect(found["100 recipients"]).toContain("RCPT TO:<joe@example.com>, which is to be refused, is answered: 250");
  });

  test("whose words do not stand what clients say", async () => {
    const found = await failures(
      plugin((host) => {
        const sum = (argument: string): number => argument.split("=").map((part) => BigInt(part)).length;
        host.extend({
          verbs: {
            XSUM: row(
              ["ready"],
              (argument) => ({ value: sum(argument) }),
              nobody,
              (state, value) => ({ go: "on", reply: { code: 250, status: "2.0.0", text: String(value) }, state }),
            ),
          },
        });
      }),
      ["accepted message", "hostile input", "twice"],
    );
    expect(Object.keys(found)).toEqual(["hostile input"]);
    expect(found["hostile input"]).toMatch(/XSUM x.*SyntaxError/s);
  });

  test("that breaks when its time is up, or a client is gone", async () => {
    const found = await failures(
      plugin((host) => {
        host.hooks.rcpt.tapPromise("ask", (_recipient, _transaction, _session, signal) => {
          signal.addEventListener("abort", () => {
            throw new Error("nobody told me");
          });
          return pause(1).then(() => undefined);
        });
      }),
      ["accepted message", "disconnect", "deadline"],
    );
    expect(Object.keys(found)).toEqual(["disconnect", "deadline"]);
    expect(found["deadline"]).toContain("nobody told me");
  });

  test("whose taps nobody asks", async () => {
    const found = await failures(
      plugin((host) => host.hooks.auth.tap("never", () => {})),
      ["accepted message", "disconnect"],
    );
    expect(found["disconnect"]).toContain("its taps of auth were never asked");
  });

  test("that knows one listener", async () => {
    let name = "";
    const found = await failures(
      plugin((host) => {
        ({ name } = host.listener);
        host.hooks.connect.tap("here", ({ listener }) => {
          if (listener !== name) throw new Error(`${listener} is not ${name}`);
        });
      }),
      ["accepted message", "two listeners"],
    );
    expect(Object.keys(found)).toEqual(["two listeners"]);
  });

  test("that checks no options, or lets any pass", async () => {
    const unchecked = definePlugin<{ depth?: number }>({
      name: "patient",
      version: "1.0.0",
      core: "^1.0.0",
      apply() {},
    });
    await expect(contract(unchecked, { options: () => ({ depth: 1 }), only: ["options"] })).rejects.toThrow(
      "it takes options and checks none",
    );
    const lax = definePlugin<Record<string, unknown>>({
      name: "patient",
      version: "1.0.0",
      core: "^1.0.0",
      options: {
        schema: {
          "~standard": {
            version: 1,
            vendor: "test",
            validate: (value) => ({ value: value as Record<string, unknown> }),
          },
        },
        keys: ["no-such-option"],
      },
      apply() {},
    });
    await expect(contract(lax, { only: ["options"] })).rejects.toThrow(
      "an option it does not know is no error of the configuration",
    );
  });

  test("whose package says something else, or wants another core", async () => {
    const packageJson = join(folder, "package.json");
    const its = {
      version: "1.0.1",
      peerDependencies: { "@mailhost/core": "^2.0.0" },
      dependencies: { "@mailhost/core": "1" },
    };
    writeFileSync(packageJson, JSON.stringify(its));
    const told = (
      await failures(
        plugin(() => {}),
        ["manifest"],
        { packageJson },
      )
    )["manifest"];
    expect(told).toContain("package.json says version 1.0.1, the definition 1.0.0");
    expect(told).toContain("wants @mailhost/core ^2.0.0, the definition ^1.0.0");
    expect(told).toContain("in dependencies");
    expect(told).toContain("lacks the keyword mailhost-plugin");
    const odd = await failures(plugin(() => {}, { core: "^9.0.0" }));
    expect(Object.keys(odd)).toEqual(["manifest"]);
    expect(odd["manifest"]).toContain("wants @mailhost/core ^9.0.0");
    expect(await failures(plugin(() => {}, { version: "one" }))).toHaveProperty("manifest");
  });
});

test("a contract tells all that is wrong, and how to mend it", async () => {
  const broken = plugin((host) => {
    host.hooks.rcpt.tap(
      "sender",
      (_recipient, { reversePath }) => void (reversePath as { domain: string }).domain.length,
    );
  });
  const error: unknown = await contract(broken).catch((one: unknown) => one);
  expect(error).toBeInstanceOf(ContractError);
  expect(String(error)).toMatch(
    /^ContractError: patient fails \d+ of 18 checks:\n {2}null reverse-path: .*\n {4}Mend: /,
  );
});

test("a contract that has nothing to begin with says what it needs", async () => {
  const error: unknown = await contract(
    plugin(() => {}),
    { companions: () => [sink({ everything: false })] },
  ).catch((one: unknown) => one);
  expect(String(error)).toMatch(/is answered: 550 5\.7\.1 .*Tell the contract what is accepted here/s);
});
