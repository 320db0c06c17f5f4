import { fork } from "node:child_process";
import { lstat, mkdir, readFile, readdir, rm, stat, symlink, writeFile, chmod, readlink } from "node:fs/promises";
import { join } from "node:path";
import { hash as argon2 } from "@node-rs/argon2";
import { hash as bcrypt } from "bcryptjs";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseHash } from "../src/hash.ts";
import { hashPassword, listUsers, readUsers, removeUser, setUser } from "../src/index.ts";
import { nameProblem, parseUsers } from "../src/users-file.ts";
import { cheap, makeFolder } from "./kit.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await makeFolder();
  path = join(folder, "users");
});
afterEach(() => rm(folder, { recursive: true }));

const put = (name: string, password = "secret", only?: "add" | "change"): Promise<"added" | "changed"> =>
  setUser(path, name, password, { cost: cheap, ...(only === undefined ? {} : { only }) });

async function matches(name: string, password: string): Promise<boolean | undefined> {
  return (await readUsers(path)).get(name)?.matches(password);
}

const lines = async (): Promise<string[]> => (await readFile(path, "utf8")).split("\n");

test("users are added, changed, listed and removed", async () => {
  expect(await put("jane")).toBe("added");
  expect(await put("joe", "other", "add")).toBe("added");
  expect(await put("jane", "newer", "change")).toBe("changed");
  expect(await listUsers(path)).toEqual([
    { name: "jane", scheme: "scrypt" },
    { name: "joe", scheme: "scrypt" },
  ]);
  expect(await matches("jane", "newer")).toBe(true);
  expect(await matches("jane", "secret")).toBe(false);
  await removeUser(path, "jane");
  expect([...(await readUsers(path)).keys()]).toEqual(["joe"]);
  expect(await readdir(folder)).toEqual(["users"]);
});

test("a new file is for its owner alone, an old one keeps its group's right to read", async () => {
  await put("jane");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await chmod(path, 0o666);
  await put("joe");
  expect((await stat(path)).mode & 0o777).toBe(0o640);
});

test("comments, order and line ends stay, and what is changed stands where it stood", async () => {
  await writeFile(path, `# staff\r\njane:old\r\n\n# robots\nbot:x`);
  await put("jane");
  await put("joe");
  const [first, jane, ...rest] = await lines();
  expect([first, rest]).toEqual(["# staff\r", ["", "# robots", "bot:x", expect.stringMatching(/^joe:\$scrypt\$/), ""]]);
  expect(jane).toMatch(/^jane:\$scrypt\$ln=4,r=8,p=1\$\S+\r$/);
  await removeUser(path, "bot");
  expect(await matches("jane", "secret")).toBe(true);
});

test("names that cannot stand in the file are refused, and nothing is written", async () => {
  for (const name of ["", "a:b", "a\nroot", "a\0", "#jane", " jane", "jane\t", "\u0085", "\ud800", "é".repeat(128)])
    await expect(put(name)).rejects.toMatchObject({ code: "BAD_NAME" });
  for (const password of ["", "a\0b", "\udfff"])
    await expect(put("jane", password)).rejects.toMatchObject({ code: "BAD_PASSWORD" });
  expect(await readdir(folder)).toEqual([]);
});

test("add does not change, change does not add, and nobody removes who is not there", async () => {
  await put("jane");
  const before = await readFile(path, "utf8");
  await expect(put("jane", "x", "add")).rejects.toMatchObject({ code: "EXISTS" });
  await expect(put("joe", "x", "change")).rejects.toMatchObject({ code: "UNKNOWN" });
  await expect(removeUser(path, "joe")).rejects.toMatchObject({ code: "UNKNOWN" });
  await expect(removeUser(join(folder, "none"), "joe")).rejects.toMatchObject({ code: "MISSING" });
  await expect(setUser(join(folder, "no/users"), "joe", "x", { cost: cheap })).rejects.toMatchObject({
    code: "NOT_WRITTEN",
  });
  expect(await readFile(path, "utf8")).toBe(before);
  expect(await readdir(folder)).toEqual(["users"]);
});

test("a link to the file stays a link, a link to nothing is refused", async () => {
  await mkdir(join(folder, "etc"));
  await symlink("etc/users", path);
  await expect(put("jane")).rejects.toMatchObject({ code: "UNREADABLE" });
  await writeFile(join(folder, "etc/users"), "");
  await put("jane");
  expect((await lstat(path)).isSymbolicLink()).toBe(true);
  expect(await readlink(path)).toBe("etc/users");
  expect(await matches("jane", "secret")).toBe(true);
  expect(await readdir(join(folder, "etc"))).toEqual(["users"]);
});

test("twenty changes at once lose none", async () => {
  const names = Array.from({ length: 20 }, (_, index) => `user${index}`);
  await Promise.all(names.map((name) => put(name)));
  expect((await listUsers(path)).map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  expect(await readdir(folder)).toEqual(["users"]);
});

test("changes by several processes lose none, and one that is killed leaves a whole file", async () => {
  await put("jane");
  const program = join(folder, "write.mts");
  const source = new URL("../src/index.ts", import.meta.url).href;
  await writeFile(
    program,
    `import { setUser } from ${JSON.stringify(source)};
     const [, , path, from, count] = process.argv;
     for (let n = 0; n < Number(count); n += 1) await setUser(path, from + n, "x", { cost: { ln: 1, r: 1, p: 1 } });`,
  );
  const run = (from: string, count: number) =>
    fork(program, [path, from, String(count)], {
      execArgv: ["-C", "@mailhost/source", "--import", "tsx"],
    });
  const ends = [run("a", 10), run("b", 10), run("c", 10)].map(
    (child) => new Promise((resolve) => child.once("exit", resolve)),
  );
  expect(await Promise.all(ends)).toEqual([0, 0, 0]);
  expect((await readUsers(path)).size).toBe(31);
  const victim = run("d", 100_000);
  const before = (await readUsers(path)).size;
  while ((await readUsers(path)).size < before + 5) await new Promise((resolve) => setTimeout(resolve, 5));
  victim.kill("SIGKILL");
  await new Promise((resolve) => victim.once("exit", resolve));
  expect((await readUsers(path)).size).toBeGreaterThanOrEqual(before + 5);
  expect(await matches("jane", "secret")).toBe(true);
}, 60_000);

test("a lock nobody gives back is an error that says whose it is", async () => {
  await writeFile(`${path}.lock`, "4711\n");
  await expect(setUser(path, "jane", "x", { cost: cheap, patience: 60 })).rejects.toMatchObject({
    code: "LOCKED",
    message: expect.stringMatching(/users\.lock is held by process 4711/),
  });
});

test("scrypt, bcrypt in its three spellings and argon2id are read", async () => {
  const blowfish = await bcrypt("pässwörd", 4);
  const hashes = [
    await hashPassword("pässwörd", cheap),
    blowfish,
    blowfish.replace(/^\$2b/, "$2y"),
    blowfish.replace(/^\$2b/, "$2a"),
    await argon2("pässwörd", { memoryCost: 64, timeCost: 1, parallelism: 1 }),
  ];
  for (const text of hashes) {
    const hash = parseHash(text);
    if ("fault" in hash) throw new Error(`${text}: ${hash.fault}`);
    expect(await hash.matches("pässwörd")).toBe(true);
    expect(await hash.matches("passwörd")).toBe(false);
    expect(await hash.matches("")).toBe(false);
  }
});

test("an scrypt hash of another program is read", async () => {
  // RFC 7914 §12: N = 16384, r = 8, p = 1, the first 32 octets of 64
  const salt = Buffer.from("SodiumChloride").toString("base64").replace(/=+$/, "");
  const key = Buffer.from("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2", "hex");
  const hash = parseHash(`$scrypt$ln=14,r=8,p=1$${salt}$${key.toString("base64").replace(/=+$/, "")}`);
  expect("matches" in hash && (await hash.matches("pleaseletmein"))).toBe(true);
});

test("hashes that would cost too much, or are no hashes, are refused without being shown", () => {
  const salted = "$c2FsdHNhbHRzYWx0$a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5";
  for (const text of [
    `$scrypt$ln=31,r=8,p=1${salted}`,
    `$scrypt$ln=20,r=32,p=1${salted}`,
    `$scrypt$ln=10,r=8,p=999${salted}`,
    `$scrypt$ln=0,r=8,p=1${salted}`,
    `$scrypt$ln=10,r=8,p=1$short$short`,
    `$argon2id$v=19$m=99999999,t=2,p=1${salted}`,
    `$argon2id$v=19$m=64,t=0,p=1${salted}`,
    `$argon2i$v=19$m=64,t=2,p=1${salted}`,
    `$2b$31$${"a".repeat(53)}`,
    `$2b$03$${"a".repeat(53)}`,
    `$2b$10$${"a".repeat(52)}`,
    "$1$abc$def",
    "{PLAIN}secret",
    "secret",
  ]) {
    const { fault } = parseHash(text) as { fault: string }; // each of them is one
    expect(fault, text).toMatch(/none of|too much/);
    expect(fault).not.toContain(text);
  }
});

test("a file with faults names each line, duplicates and blank names too", () => {
  const good = `$2b$10$${"a".repeat(53)}`;
  const { users, faults } = parseUsers(
    `jane:${good}\n\n# c\njane:${good}\n:${good}\n joe:${good}\nkim:${good}:1000\n__proto__:${good}`,
  );
  expect([...users.keys()]).toEqual(["jane", "__proto__"]);
  expect(faults.map((fault) => fault.slice(0, 7))).toEqual(["line 4:", "line 5:", "line 6:", "line 7:"]);
  expect(faults[0]).toContain("line 1 already");
});

test("property: whatever is in the file, a user that is set is there and alone with the name", async () => {
  const text = fc.array(fc.oneof(fc.constantFrom("jane:x", "# c", "", ":", "joe"), fc.string({ unit: "binary" })), {
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(text, fc.string({ minLength: 1, maxLength: 12 }), async (before, name) => {
      fc.pre(nameProblem(name) === undefined);
      await writeFile(path, before.map((line) => line.replace(/\p{Cs}/gu, "")).join("\n"));
      await put(name);
      const { users } = parseUsers(await readFile(path, "utf8"));
      expect(await users.get(name)?.matches("secret")).toBe(true);
      await removeUser(path, name);
      expect(parseUsers(await readFile(path, "utf8")).users.has(name)).toBe(false);
    }),
    { numRuns: 60 },
  );
});
