// @ts-check
import { contract, host, sink } from "@mailhost/testkit";
import assert from "node:assert/strict";
import test from "node:test";
import subjectTag from "./index.js";

/** @param {string} subject */
async function tagged(subject) {
  const box = sink();
  const server = await host({ plugins: [box, subjectTag({ tag: "sales" })] });
  const speaker = server.client();
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  await speaker.deliver({ to: "jane@example.com", text: `From: joe@example.net\r\n${subject}\r\n\r\nHello\r\n` });
  await server.close();
  return box.messages[0]?.text.match(/^Subject:.*(\r\n[ \t].*)*/m)?.[0];
}

void test("the tag stands in front, once", async () => {
  assert.equal(await tagged("Subject: offer"), "Subject: [sales] offer");
  assert.equal(await tagged("SUBJECT:offer"), "Subject: [sales] offer");
  assert.equal(await tagged("Subject: Re: [sales] offer"), "Subject: Re: [sales] offer");
  assert.equal(await tagged("Subject: =?utf-8?q?=C3=84pfel?="), "Subject: [sales] =?utf-8?q?=C3=84pfel?=");
});

void test("folding is kept, and long lines are folded", async () => {
  assert.equal(await tagged("Subject: one\r\n two"), "Subject: [sales] one\r\n two");
  const long = "long ".repeat(14).trim();
  assert.equal(await tagged(`Subject: ${long}`), `Subject: [sales]\r\n ${long}`);
});

void test("what cannot be written again stays as it is", async () => {
  assert.equal(await tagged("Subject: a\0b"), "Subject: a\0b");
});

void test("a message without a subject gets the tag for one", async () => {
  assert.equal(await tagged("X-Other: field"), "Subject: [sales]");
});

void test("a tag that is no text is a start-up error", async () => {
  // @ts-expect-error a number is no tag
  await assert.rejects(host({ plugins: [sink(), subjectTag({ tag: 7 })] }), /plugins\[1\]\.options\.tag/);
});

void test("it keeps the contract", async () => {
  const packageJson = new URL("package.json", import.meta.url);
  const report = await contract(subjectTag, { options: () => ({ tag: "sales" }), packageJson });
  assert.equal(report.failed, 0);
});
