import { rm, writeFile } from "node:fs/promises";
import { ConfigurationError, type Problem } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AuthPlainOptions, authPlain, setUser } from "../src/index.ts";
import { Dialogue, cheap, closeAll, deferred, makeFolder, makeLog, makeUsers, serve } from "./kit.ts";

let folder: string;
let users: string;
beforeEach(async () => {
  folder = await makeFolder();
  users = await makeUsers(folder, { jane: "secret" });
});
afterEach(async () => {
  await closeAll();
  await rm(folder, { recursive: true });
});

/** Lets what waits for the file system or for threads go on. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

async function problemsOf(options: AuthPlainOptions): Promise<readonly Problem[]> {
  const error: unknown = await serve({ plugins: [authPlain(options), sink()] }).catch((caught: unknown) => caught);
  if (!(error instanceof ConfigurationError)) throw new Error(`no ConfigurationError: ${String(error)}`);
  return error.problems;
}

test("a failure is answered after its delay, a success at once", async () => {
  const clock = new TestClock();
  const server = await serve({ clock, plugins: [authPlain({ users, allowInsecure: true }), sink()] });
  const dialogue = new Dialogue(server);
  const answer = dialogue.auth("\0jane\0wrong");
  // The session's patience, the tap's deadline, and the delay once the password was checked
  while (clock.waiting < 3) await settle();
  clock.advance(999);
  await settle();
  expect(dialogue.wire.lines.join()).not.toContain("535");
  clock.advance(1);
  expect(await answer).toMatch(/^535/);
  expect(await new Dialogue(server).auth("\0jane\0secret")).toMatch(/^235/);
});

test("each failure of a session takes twice as long as the one before it, up to four times", async () => {
  const clock = new TestClock();
  const limits = { authFailures: 10 };
  const options: AuthPlainOptions = { verify: () => false, allowInsecure: true };
  const server = await serve({ clock, limits, plugins: [authPlain(options), sink()] });
  const dialogue = new Dialogue(server);
  const delays: number[] = [];
  for (let guess = 0; guess < 4; guess += 1) {
    const answer = dialogue.auth("\0jane\0wrong");
    const before = clock.now();
    let answered = false;
    void answer.then(() => (answered = true));
    while (!answered) {
      await settle();
      clock.advance(500);
      await settle();
    }
    delays.push(clock.now() - before);
    expect(await answer).toMatch(/^535/);
  }
  expect(delays).toEqual([1000, 2000, 4000, 4000]);
});

test("a verify slower than its deadline is 451", async () => {
  const clock = new TestClock();
  const { log, lines } = makeLog();
  const { promise } = deferred<boolean>();
  const verify = () => promise;
  const options: AuthPlainOptions = { verify, allowInsecure: true, deadline: 50, failureDelay: 100 };
  const server = await serve({ clock, log, plugins: [authPlain(options), sink()] });
  const dialogue = new Dialogue(server);
  const answer = dialogue.auth("\0jane\0secret");
  await settle();
  clock.advance(450); // the check's time and the longest delay
  expect(await answer).toMatch(/^451 4\.3\.0/);
  expect(lines.join()).toContain("plugin auth-plain failed in auth");
});

test("a verify that says yes too late lets nobody in", async () => {
  const clock = new TestClock();
  const { promise, resolve } = deferred<boolean>();
  const verify = () => promise;
  const options: AuthPlainOptions = { verify, allowInsecure: true, deadline: 50, failureDelay: 0, required: true };
  const server = await serve({ clock, plugins: [authPlain(options), sink()] });
  const dialogue = new Dialogue(server);
  const answer = dialogue.auth("\0jane\0secret");
  await settle();
  clock.advance(50);
  expect(await answer).toMatch(/^451/);
  resolve(true);
  await settle();
  dialogue.send("MAIL FROM:<jane@example.com>");
  expect(await dialogue.line()).toMatch(/^530/);
});

test("no password and no hash is ever logged, names only of those who exist", async () => {
  const { log, lines } = makeLog();
  const options: AuthPlainOptions = { users, allowInsecure: true, failureDelay: 0 };
  const server = await serve({ log, plugins: [authPlain(options), sink()] });
  const dialogue = new Dialogue(server, "198.51.100.7");
  expect(await dialogue.auth("\0jane\0hunter2")).toMatch(/^535/);
  expect(await dialogue.auth("\0hunter3\0x")).toMatch(/^535/);
  await writeFile(users, "jane:hunter4\n");
  expect(await new Dialogue(server).auth("\0jane\0secret")).toMatch(/^235/);
  const text = lines.join("\n");
  expect(text).toMatch(/info: authentication failed for 198\.51\.100\.7 .*"user":"jane"/);
  expect(text).toMatch(/error: password file not taken, the old users stay: .*line 1/);
  expect(text).not.toMatch(/hunter|\$scrypt/);
});

test("a changed file is picked up at the next AUTH, a broken or vanished one keeps the old users", async () => {
  const { log, lines } = makeLog();
  const options: AuthPlainOptions = { users, allowInsecure: true, failureDelay: 0 };
  const server = await serve({ log, plugins: [authPlain(options), sink()] });
  const auth = (message: string): Promise<string> => new Dialogue(server).auth(message);
  expect(await auth("\0joe\0new")).toMatch(/^535/);
  await setUser(users, "joe", "new", { cost: cheap });
  expect(await auth("\0joe\0new")).toMatch(/^235/);
  await setUser(users, "joe", "newer", { cost: cheap });
  expect(await auth("\0joe\0new")).toMatch(/^535/);
  await writeFile(users, "joe:plaintext\n# comment\nnonsense\n");
  expect(await auth("\0joe\0newer")).toMatch(/^235/);
  expect(await auth("\0jane\0secret")).toMatch(/^235/);
  const complaints = lines.filter((line) => line.startsWith("error"));
  expect(complaints).toEqual([expect.stringMatching(/line 1: .*; line 3: /)]);
  await rm(users);
  expect(await auth("\0jane\0secret")).toMatch(/^235/);
  expect(lines.at(-1)).toMatch(/does not exist/);
  await setUser(users, "joe", "newest", { cost: cheap });
  expect(await auth("\0jane\0secret")).toMatch(/^535/);
  expect(await auth("\0joe\0newest")).toMatch(/^235/);
});

test("a reload reads the file at once, and refuses a broken one", async () => {
  const options = () => ({
    log: makeLog().log,
    plugins: [authPlain({ users, allowInsecure: true, failureDelay: 0 }), sink()],
  });
  const server = await serve(options());
  await writeFile(users, "jane:secret\n");
  await expect(server.reload(options())).rejects.toThrow(/line 1/);
  expect(await new Dialogue(server).auth("\0jane\0secret")).toMatch(/^235/);
});

test("a file others can read is warned of", async () => {
  await writeFile(`${users}2`, "", { mode: 0o644 });
  const { log, lines } = makeLog();
  await serve({ log, plugins: [authPlain({ users: `${users}2`, allowInsecure: true }), sink()] });
  expect(lines).toEqual([expect.stringMatching(/^warn: .*chmod o=/)]);
});

test("an empty file knows nobody, and takes as long to say so", async () => {
  await writeFile(users, "# nobody yet\n");
  const server = await serve({ plugins: [authPlain({ users, allowInsecure: true, failureDelay: 0 }), sink()] });
  expect(await new Dialogue(server).auth("\0jane\0secret")).toMatch(/^535/);
});

test("many guesses at once are all answered, and those of one client beyond its share with 454", async () => {
  const server = await serve({ plugins: [authPlain({ users, allowInsecure: true, failureDelay: 0 }), sink()] });
  const flood = Array.from({ length: 40 }, () => new Dialogue(server, "198.51.100.7").auth("\0jane\0wrong"));
  const other = await new Dialogue(server, "203.0.113.5").auth("\0jane\0secret");
  expect(other).toMatch(/^235/);
  const answers = await Promise.all(flood);
  expect(new Set(answers.map((line) => line.slice(0, 3)))).toEqual(new Set(["454", "535"]));
  expect(answers.find((line) => line.startsWith("454"))).toBe("454 4.7.0 Temporary authentication failure");
});

test("options that cannot be are problems with a mend", async () => {
  expect((await problemsOf({})).map(({ where }) => where)).toEqual(["plugins[0].options"]);
  expect((await problemsOf({ users, verify: () => true })).map(({ what }) => what)).toEqual([
    "auth-plain has both a password file and a function",
  ]);
  expect((await problemsOf({ users, failureDelay: -1 })).map(({ where }) => where)).toEqual([
    "plugins[0].options.failureDelay",
  ]);
  expect(await problemsOf({ users: `${folder}/none` })).toEqual([
    {
      code: "BAD_FILE",
      where: "plugins[0].options.users",
      what: `${folder}/none does not exist`,
      mend: expect.stringMatching(/^Make it with: mailhost user add <name> --file \S+$/),
    },
  ]);
  await writeFile(users, "jane:secret\njoe\n");
  expect((await problemsOf({ users })).map(({ what }) => what)).toEqual([
    `${users}: line 1: the hash is none of scrypt, bcrypt and argon2id, or damaged; line 2: it is not name:hash`,
  ]);
});
