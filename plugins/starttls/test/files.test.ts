import { copyFile, mkdir, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateKeyPairSync } from "node:crypto";
import { type Mailhost, type Problem, ConfigurationError, mailhost } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pollMilliseconds } from "../src/certificate.ts";
import { starttls, type StarttlsOptions } from "../src/index.ts";
import { makeFiles, makeFolder, makeLog, makePem } from "./certificates.ts";
import { Client } from "./client.ts";

let folder: string;
beforeEach(async () => {
  folder = await makeFolder();
});

const servers: Mailhost[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await rm(folder, { recursive: true });
});

async function serve(options: StarttlsOptions) {
  const { log, lines } = makeLog();
  const clock = new TestClock(Date.now());
  const make = () => ({
    name: "mx.example.com",
    log,
    clock,
    plugins: [starttls(options), sink()],
    listeners: [{ name: "smtp", host: "127.0.0.1", port: 0 }],
  });
  const server = mailhost(make());
  servers.push(server);
  await server.listen();
  const port = server.addresses[0]?.port ?? 0;
  /** Two looks at the files. Waits for the file system, not for time. */
  const look = async (until: () => boolean | Promise<boolean>): Promise<void> => {
    for (let looks = 0; !(await until()); looks += 1) {
      if (looks > 200) throw new Error(`nothing happened: ${lines.join("; ")}`);
      clock.advance(pollMilliseconds);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { server, port, lines, look, make, shows: async () => (await Client.secured(port)).subject };
}

async function problemsOf(options: StarttlsOptions): Promise<readonly Problem[]> {
  const server = mailhost({ name: "mx.example.com", log: makeLog().log, plugins: [starttls(options), sink()] });
  const error: unknown = await server.prepare().catch((caught: unknown) => caught);
  await server.close();
  if (!(error instanceof ConfigurationError)) throw new Error(`no ConfigurationError: ${String(error)}`);
  return error.problems;
}

test("a renewed certificate is shown to new clients while a session goes on", async () => {
  const files = await makeFiles(folder, "old.example.com", "mx");
  const { port, look, lines, shows } = await serve(files);
  const open = await Client.secured(port);
  await open.ask("EHLO client.test");
  await open.ask("MAIL FROM:<jane@example.com>");
  await makeFiles(folder, "new.example.com", "mx");
  await look(async () => (await shows()) === "new.example.com");
  expect(open.subject).toBe("old.example.com");
  expect(await open.ask("RCPT TO:<joe@example.com>")).toMatch(/^250/);
  expect(lines.filter((line) => line.startsWith("info: new certificate from"))).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith("error"))).toEqual([]);
  await open.ask("QUIT");
});

test("certificates behind symbolic links are followed when the link moves", async () => {
  for (const version of ["1", "2"]) {
    await mkdir(join(folder, version));
    await makeFiles(join(folder, version), `v${version}.example.com`, "mx");
  }
  await symlink("1", join(folder, "live"));
  const { look, shows } = await serve({ cert: join(folder, "live/mx.pem"), key: join(folder, "live/mx.key") });
  expect(await shows()).toBe("v1.example.com");
  await symlink("2", join(folder, "next"));
  await rename(join(folder, "next"), join(folder, "live"));
  await look(async () => (await shows()) === "v2.example.com");
});

test("half a renewal keeps the old pair and complains once, until the other half is there", async () => {
  const files = await makeFiles(folder, "old.example.com", "mx");
  const { look, lines, shows } = await serve(files);
  const renewed = await makePem("new.example.com");
  await writeFile(files.cert, renewed.cert);
  await look(() => lines.some((line) => /^error: .*does not belong to/.test(line)));
  await look(() => true);
  expect(await shows()).toBe("old.example.com");
  expect(lines.filter((line) => line.startsWith("error"))).toHaveLength(1);
  await writeFile(files.key, renewed.key);
  await look(async () => (await shows()) === "new.example.com");
});

test("files that vanish or turn to rubbish keep the old pair", async () => {
  const files = await makeFiles(folder, "old.example.com", "mx");
  const { look, lines, shows } = await serve(files);
  await writeFile(files.cert, "rubbish");
  await look(() => lines.some((line) => line.includes("holds no certificate")));
  await unlink(files.key);
  await unlink(files.cert);
  await look(() => lines.some((line) => line.includes("does not exist")));
  expect(await shows()).toBe("old.example.com");
});

test("a reload reads the files at once, and refuses broken ones", async () => {
  const files = await makeFiles(folder, "old.example.com", "mx");
  const { server, make, shows } = await serve(files);
  await makeFiles(folder, "new.example.com", "mx");
  await server.reload(make());
  expect(await shows()).toBe("new.example.com");
  await writeFile(files.key, "rubbish");
  await expect(server.reload(make())).rejects.toThrow("holds no private key");
  expect(await shows()).toBe("new.example.com");
});

test("what is wrong with files is said with path and mend, all at once", async () => {
  const files = await makeFiles(folder, "mx.example.com", "mx");
  const other = await makeFiles(folder, "other.example.com", "other");
  const encrypted = join(folder, "encrypted.key");
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" },
  });
  await writeFile(encrypted, privateKey);
  const empty = join(folder, "empty.pem");
  await writeFile(empty, "");
  const problems = await problemsOf({
    cert: files.cert,
    key: other.key,
    sni: {
      "a.example": { cert: join(folder, "none.pem"), key: files.key },
      "b.example": { cert: files.cert, key: encrypted },
      "c.example": { cert: empty, key: files.key },
      "d.example": { cert: folder, key: files.key },
      "e.example": { cert: "/dev/zero", key: files.key },
      "f.example": { cert: join(folder, "none.pem"), key: join(folder, "none.key") },
    },
  });
  expect(problems.map(({ code, where, what }) => `${code} ${where}: ${what.replaceAll(folder, "")}`)).toEqual([
    'BAD_FILE plugins[0].options.sni["a.example"].cert: /none.pem does not exist',
    'BAD_FILE plugins[0].options.sni["b.example"].key: /encrypted.key is encrypted',
    'BAD_FILE plugins[0].options.sni["c.example"].cert: /empty.pem holds no certificate',
    'BAD_FILE plugins[0].options.sni["d.example"].cert:  is no certificate file',
    'BAD_FILE plugins[0].options.sni["e.example"].cert: /dev/zero is no certificate file',
    'BAD_FILE plugins[0].options.sni["f.example"].cert: /none.pem does not exist',
    'BAD_FILE plugins[0].options.sni["f.example"].key: /none.key does not exist',
    "BAD_FILE plugins[0].options.key: the key /other.key does not belong to the certificate /mx.pem",
  ]);
  expect(problems.every(({ mend }) => mend.length > 10)).toBe(true);
});

const whereOf = async (options: StarttlsOptions): Promise<string[]> =>
  (await problemsOf(options)).map((one) => one.where);

test("options that make no certificate are problems", async () => {
  const files = await makeFiles(folder, "mx.example.com", "mx");
  expect(await whereOf({})).toEqual(["plugins[0].options"]);
  expect(await whereOf({ cert: files.cert })).toEqual(["plugins[0].options.key"]);
  expect(await whereOf({ key: files.key })).toEqual(["plugins[0].options.cert"]);
  expect(await whereOf({ ...files, selfSigned: true })).toEqual(["plugins[0].options.selfSigned"]);
  expect(await whereOf({ ...files, sni: { "not a name": files } })).toEqual(["plugins[0].options.sni.not a name"]);
  // As JavaScript may say it
  expect(await whereOf({ ...files, minVersion: "TLSv1" } as unknown as StarttlsOptions)).toEqual([
    "plugins[0].options.minVersion",
  ]);
});

test("an expired certificate is used, with a warning", async () => {
  const files = await makeFiles(folder, "mx.example.com", "mx");
  await copyFile(files.cert, join(folder, "copy.pem"));
  const { log, lines } = makeLog();
  const clock = new TestClock(Date.now() + 3 * 366 * 24 * 3600 * 1000);
  const server = mailhost({ name: "mx.example.com", log, clock, plugins: [starttls(files), sink()] });
  servers.push(server);
  await server.prepare();
  expect(lines).toEqual([expect.stringMatching(/^warn: certificate .* expired/)]);
});
