import { type Client, contract } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { authLogin } from "../src/index.ts";
import { base64, inClear, password, verifier } from "./kit.ts";

async function login(speaker: Client): Promise<void> {
  for (const line of ["EHLO client.test", "AUTH LOGIN", base64("jane")]) await speaker.ask(line);
  expect(await speaker.ask(base64(password))).toEqual([expect.stringMatching(/^235/)]);
}

test("keeps the contract of plugins", { timeout: 60_000 }, () =>
  contract(authLogin, {
    options: () => ({ allowInsecure: true }),
    companions: () => [verifier(), ...(inClear().plugins ?? []).slice(2)],
    greet: login,
    packageJson: new URL("../package.json", import.meta.url),
  }),
);
