import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../test/support/run.ts";
import { inbox } from "../src/index.ts";

const here = join(import.meta.dirname, "inbox");
const source = ["-C", "@mailhost/source", "--import", "tsx"];

const nodeTest = (file: string) =>
  run(process.execPath, [...source, "--test", "--test-reporter=tap", file], "", {
    // Set by a test runner, and by node --test for those below it
    NODE_TEST_CONTEXT: undefined,
    NODE_OPTIONS: undefined,
  });

test("under node:test, in parallel, and the process ends by itself", { timeout: 60_000 }, async () => {
  const ran = await nodeTest(join(here, "with-node-test.mts"));
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/^# pass 7$/m);
  expect(ran.stdout).toMatch(/^# fail 0$/m);
});

test("examples/app-test passes", { timeout: 60_000 }, async () => {
  const ran = await nodeTest(join(import.meta.dirname, "../../examples/app-test/signup.test.ts"));
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/^# pass 3$/m);
});

test("a program that forgets its inbox ends", { timeout: 60_000 }, async () => {
  const program = `import { connect } from "node:net";
    import { inbox } from "@mailhost/testkit";
    const mail = await inbox({ tls: true });
    mail.fault({ at: "EHLO", delay: 3_600_000 });
    // A client in this process that does not end it either
    const client = connect(mail.port, mail.host);
    await new Promise((resolve) => client.once("data", resolve));
    client.write("EHLO app.test\\r\\n");
    client.unref();
    console.log("over");`;
  const ran = await run(process.execPath, [...source, "--input-type=module", "-e", program], "", {}, 30);
  expect(ran).toMatchObject({ code: 0, stdout: "over\n" });
});

test("mail of another process", { timeout: 60_000 }, async () => {
  const mail = await inbox();
  onTestFinished(() => mail.close());
  const to = mail.address();
  const app = spawn(process.execPath, [join(here, "sends-later.mjs"), String(mail.port), to], { stdio: "inherit" });
  onTestFinished(() => void app.kill());
  expect((await mail.next({ to, timeout: 30_000 })).from).toBe("app@example.com");
});
