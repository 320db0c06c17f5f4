import { ConfigurationError, mailhost } from "@mailhost/core";
import { expect, test } from "vitest";
import { type WebhookOptions, webhook } from "../src/index.ts";
import { everybody, memoryLog } from "./kit.ts";

const url = "https://app.example.com/mail";

async function problems(options: object): Promise<string> {
  const server = mailhost({
    name: "mx.example.com",
    log: memoryLog().log,
    // As a configuration file may say it
    plugins: [everybody(), webhook(options as WebhookOptions)],
  });
  try {
    await server.prepare();
    return "";
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  } finally {
    await server.close();
  }
}

test.each<object>([
  { url },
  { url: "http://127.0.0.1:8080/" },
  { url: "http://localhost/" },
  { url: "http://[::1]:1/" },
  { url: "http://app:3000/", allowInsecure: true },
  {
    url,
    format: "json",
    timeout: 1,
    retries: 0,
    patience: 540_000,
    concurrency: 1,
    reject: [],
    headers: { "x-a": "b" },
  },
])("%j is fine", async (options) => {
  expect(await problems(options)).toBe("");
});

test.each<[object, string]>([
  [{}, "url"],
  [{ url: "app.example.com" }, "not a URL that begins with https://"],
  [{ url: "file:///etc/passwd" }, "not a URL that begins with https://"],
  [{ url: "http://app.example.com/" }, "in clear"],
  [{ url: "http://127.0.0.1.example.com/" }, "in clear"],
  [{ url: "http://localhost.example.com/" }, "in clear"],
  [{ url: "http://10.0.0.1/" }, "in clear"],
  [{ url, format: "xml" }, "format"],
  [{ url, patience: 600_000 }, "the client waits ten minutes"],
  [{ url, timeout: 0 }, "timeout"],
  [{ url, retries: 1.5 }, "retries"],
  [{ url, concurrency: 0 }, "concurrency"],
  [{ url, reject: [503] }, "reject"],
  [{ url, headers: { "bad name": "x" } }, "not the name of a header field"],
  [{ url, headers: { "Content-Length": "1" } }, "set by the plugin"],
  [{ url, ca: "/nowhere/ca.pem" }, "/nowhere/ca.pem cannot be used"],
  [{ url, ca: import.meta.filename }, "Name a PEM file"],
  [{ url, secrets: "x" }, "secrets"],
])("%j is a problem that says: %s", async (options, expected) => {
  expect(await problems(options)).toContain(expected);
});

test("what is wrong with a secret is told without the secret", async () => {
  const bad = ["hunter2hunter2", "whsec_aHVudGVyMg==", "whsec_not base64 hunter2"];
  for (const secret of [...bad, bad]) {
    const told = await problems({ url, secret });
    expect(told).toContain("secret");
    expect(told).not.toContain("hunter2");
    expect(told).not.toContain("aHVudGVyMg");
  }
  const told = await problems({ url, headers: { authorization: "Bearer\nhunter2" } });
  expect(told).toContain("not the value of a header field");
  expect(told).not.toContain("hunter2");
});
