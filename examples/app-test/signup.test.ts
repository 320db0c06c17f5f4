import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Inbox, inbox } from "@mailhost/testkit";
import { signUp } from "./signup.ts";

describe("signing up", { concurrency: true }, () => {
  let mail: Inbox;
  before(async () => {
    mail = await inbox();
  });
  after(() => mail.close());

  test("brings a link", async () => {
    const address = mail.address("jane");
    await signUp(mail.url, address);
    const message = await mail.next({ to: address });
    assert.equal(message.subject, "Confirm your address");
    assert.deepEqual(message.links, [`https://shop.example/confirm?address=${encodeURIComponent(address)}`]);
    await mail.none({ to: address, within: 0 });
  });

  test("survives a server that is busy, and then hangs up", async () => {
    const address = mail.address("busy");
    mail.fault({ at: "RCPT", to: address, reply: "451 4.3.2 Busy", times: 1 });
    mail.fault({ at: "BODY", to: address, drop: { afterOctets: 50 }, times: 1 });
    await signUp(mail.url, address);
    await mail.next({ to: address });
  });

  test("gives up at once on an address that does not exist", async () => {
    const address = mail.address("nobody");
    const unknown = mail.fault({ at: "RCPT", to: address, reply: "550 5.1.1 No such user" });
    await assert.rejects(signUp(mail.url, address), /550 5\.1\.1 No such user/);
    assert.equal(unknown.hits, 1);
  });
});
