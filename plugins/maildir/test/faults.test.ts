import { readdirSync } from "node:fs";
import * as promises from "node:fs/promises";
import { join } from "node:path";
import { defer, definePlugin } from "@mailhost/core";
import { TestClock, host } from "@mailhost/testkit";
import { expect, test } from "vitest";
import type { Files } from "../src/files.ts";
import { mailboxPath } from "../src/index.ts";
import { type MaildirOptions, maildirOn } from "../src/maildir.ts";
import { Client, emptyFolder, filesBelow, quietLog, serve, stored, storing } from "./server.ts";

const systemError = (code: string): Error => Object.assign(new Error(`${code}: on purpose`), { code });

/** The real file system, but for what is replaced; `handle` sees every file opened for writing. */
function failing(changes: Partial<Files>, handle: (file: promises.FileHandle) => void = () => {}): Files {
  const open: Files["open"] = async (...args) => {
    const file = await promises.open(...args);
    if (args[0].includes("/tmp/") && typeof args[1] === "number" && (args[1] & 1) === 1) handle(file);
    return file;
  };
  return { ...promises, open, ...changes };
}

async function handIn(files: Files, options: MaildirOptions, recipients = ["jane@example.com"]): Promise<string> {
  const server = await serve(storing(options, maildirOn(files)));
  const client = await new Client(server).greet();
  const reply = await client.deliver(recipients, `Subject: hello\r\n\r\n${"x".repeat(70_000)}`);
  client.leave();
  return reply;
}

const nothingLeft = (root: string): void => expect(readdirSync(root)).toEqual([]);

test.each([
  ["ENOSPC", "452 4.3.1 Insufficient system storage"],
  ["EDQUOT", "452 4.3.1 Insufficient system storage"],
  ["EIO", "451 4.3.0 Temporary local problem"],
])("%s while writing: nothing is left behind", async (code, reply) => {
  const root = await emptyFolder();
  const files = failing({}, (file) => {
    file.write = () => Promise.reject(systemError(code));
  });
  expect(await handIn(files, { root }, ["jane@example.com", "john+x@example.com"])).toBe(reply);
  nothingLeft(root);
});

test("a short write goes on where it stopped", async () => {
  const root = await emptyFolder();
  const files = failing({}, (file) => {
    const write = file.write.bind(file) as (
      octets: Uint8Array,
      at: number,
      length: number,
    ) => Promise<{ bytesWritten: number; buffer: Uint8Array }>;
    Object.assign(file, {
      write: (octets: Uint8Array, at = 0) => write(octets, at, Math.min(1000, octets.length - at)),
    });
  });
  expect(await handIn(files, { root })).toMatch(/^250 /);
  expect(stored(mailboxPath(root, "jane@example.com"))[0]).toMatch(/\n\nx{70000}\n$/);
});

test.each(["sync", "close"] as const)("a failing %s is no 250", async (call) => {
  const root = await emptyFolder();
  const files = failing({}, (file) => {
    const real = file[call].bind(file);
    file[call] = async () => {
      await real();
      throw systemError("EIO");
    };
  });
  expect(await handIn(files, { root })).toBe("451 4.3.0 Temporary local problem");
  nothingLeft(root);
});

test("the folder that cannot be synced takes its mail back", async () => {
  const root = await emptyFolder();
  let failures = 0;
  const open: Files["open"] = async (...args) => {
    const file = await promises.open(...args);
    const name = args[0];
    if (name.endsWith("/new") && readdirSync(name).length > 0)
      file.sync = () => {
        failures += 1;
        return Promise.reject(systemError("EIO"));
      };
    return file;
  };
  expect(await handIn({ ...promises, open }, { root })).toBe("451 4.3.0 Temporary local problem");
  expect(failures).toBe(1);
  nothingLeft(root);
});

const renameButJohn: Files["rename"] = (from, to) =>
  to.includes("john") ? Promise.reject(systemError("ENOSPC")) : promises.rename(from, to);

test("one rename that fails takes back those before it", async () => {
  const root = await emptyFolder();
  const recipients = ["jane@example.com", "john@example.com", "zoe@example.com"];
  expect(await handIn({ ...promises, rename: renameButJohn }, { root }, recipients)).toBe(
    "452 4.3.1 Insufficient system storage",
  );
  nothingLeft(root);
});

test("a root that cannot be written to", async () => {
  const root = await emptyFolder();
  const mkdir = (() => Promise.reject(systemError("EROFS"))) as Files["mkdir"]; // its overloads give what never comes
  const files = { ...promises, mkdir };
  expect(await handIn(files, { root })).toBe("451 4.3.0 Temporary local problem");
  nothingLeft(root);
});

test("a root that is missing, below a folder that cannot be written to, is told at start", async () => {
  const folder = await emptyFolder();
  const root = join(folder, "var", "mail");
  const access: Files["access"] = (path, mode) =>
    path === folder ? Promise.reject(systemError("EACCES")) : promises.access(path, mode);
  const starting = host({ plugins: [maildirOn({ ...promises, access })({ root })], default: { local: "maildir" } });
  await expect(starting).rejects.toThrow(
    `plugins[0].options.root: ${root} is not there, and cannot be made: ${folder} cannot be written to (EACCES). ` +
      `Make ${root} and give it to the user the server runs as, or name another folder.`,
  );
});

test("folders that vanish before the file is opened are made again", async () => {
  const root = await emptyFolder();
  let vanished = 0;
  const open: Files["open"] = async (path, ...rest) => {
    if (path.includes("/tmp/") && vanished++ === 0) await promises.rm(root, { recursive: true });
    return promises.open(path, ...rest);
  };
  expect(await handIn({ ...promises, open }, { root })).toMatch(/^250 /);
  expect(stored(mailboxPath(root, "jane@example.com"))).toHaveLength(1);
});

/** Somebody removes the folder right before the first commit. */
function vanishing(folder: string): Files {
  let vanished = 0;
  const rename: Files["rename"] = async (from, to) => {
    if (vanished++ === 0) await promises.rm(folder, { recursive: true });
    return promises.rename(from, to);
  };
  return { ...promises, rename };
}

test("a new that vanishes before the commit is made again", async () => {
  const root = await emptyFolder();
  const files = vanishing(join(mailboxPath(root, "jane@example.com"), "new"));
  expect(await handIn(files, { root })).toMatch(/^250 /);
  expect(stored(mailboxPath(root, "jane@example.com"))).toHaveLength(1);
});

test("a mailbox that vanishes before the commit is no 250", async () => {
  const root = await emptyFolder();
  const files = vanishing(mailboxPath(root, "jane@example.com"));
  expect(await handIn(files, { root })).toBe("451 4.3.0 Temporary local problem");
  nothingLeft(root);
});

test("the deadline ends the writing and cleans up", async () => {
  const root = await emptyFolder();
  const clock = new TestClock(Date.now());
  let release: (() => void) | undefined;
  const files = failing({}, (file) => {
    const write = file.write.bind(file);
    const held = new Promise<void>((resolve) => (release = resolve));
    file.write = (async (octets: Uint8Array, at: number) => {
      await held;
      return write(octets, at);
    }) as typeof file.write; // of its overloads the one in use
  });
  const server = await serve({ ...storing({ root }, maildirOn(files)), timeouts: { delivery: 50 }, clock });
  const client = await new Client(server).greet();
  const reply = client.deliver(["jane@example.com"], "Subject: late\r\n\r\nlate");
  await expect.poll(() => release).toBeDefined();
  clock.advance(50);
  expect(await reply).toMatch(/^451 /);
  expect(filesBelow(root)).toHaveLength(1);
  release?.();
  client.leave();
  await expect.poll(() => readdirSync(root)).toEqual([]);
});

test("what another plugin refuses leaves nothing behind", async () => {
  const root = await emptyFolder();
  const refusing = definePlugin({
    name: "refusing",
    version: "1.0.0",
    core: "^1.0.0",
    after: ["maildir"],
    apply: (host) => host.hooks.queue.for("maildir").tap("refusing", () => defer("Not now")),
  })();
  const { plugins } = storing({ root });
  const server = await serve({ plugins: [...plugins, refusing], log: quietLog });
  const client = await new Client(server).greet();
  expect(await client.deliver(["jane@example.com", "jane+x@example.com"], "Subject: x\r\n\r\nx")).toBe(
    "451 4.7.1 Not now",
  );
  client.leave();
  nothingLeft(root);
});
