import { rm } from "node:fs/promises";
import { contract } from "@mailhost/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CertificateFiles, starttls } from "../src/index.ts";
import { makeFiles, makeFolder } from "./certificates.ts";

let folder: string;
let files: CertificateFiles;
beforeAll(async () => {
  folder = await makeFolder();
  files = await makeFiles(folder, "mx.example.com");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const packageJson = new URL("../package.json", import.meta.url);

test("keeps the contract where TLS is required", async () => {
  const report = await contract(starttls, {
    options: () => ({ ...files, sni: { "mail.example.com": files }, requireTls: true }),
    greet: async (speaker) => {
      for (const line of ["EHLO client.test", "STARTTLS", "EHLO client.test"]) await speaker.ask(line);
    },
    packageJson,
  });
  expect(report).toMatchObject({ plugin: "starttls", failed: 0 });
});

test("keeps the contract with TLS from the first octet", () =>
  contract(starttls, { options: () => files, listener: { tls: "implicit" } }));
