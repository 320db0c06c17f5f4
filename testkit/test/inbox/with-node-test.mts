// Run by inbox-runners.test.ts with `node --test`: no other runner's globals, and a process that has to end
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Inbox, inbox } from "@mailhost/testkit";
import { createTransport } from "nodemailer";

describe("sign-up", { concurrency: true }, () => {
  let mail: Inbox;
  before(async () => {
    mail = await inbox();
  });
  after(() => mail.close());

  for (let count = 0; count < 5; count += 1)
    test(`number ${count}`, async () => {
      const to = mail.address("signup");
      const message = mail.next({ to });
      await createTransport(mail.url).sendMail({ from: "app@example.com", to, subject: `number ${count}`, text: "x" });
      assert.equal((await message).subject, `number ${count}`);
    });
});

test("an inbox that nobody closes, with a client that stays", async () => {
  const forgotten = await inbox();
  const app = createTransport({ host: forgotten.host, port: forgotten.port, pool: true });
  await app.sendMail({ from: "app@example.com", to: "jane@example.com", text: "x" });
  await forgotten.next();
  app.close();
});

test("a wait keeps the process alive, although nothing else does", async () => {
  const mail = await inbox();
  await assert.rejects(mail.next({ timeout: 50 }), { name: "InboxTimeoutError" });
  await mail.none({ within: 10 });
});
