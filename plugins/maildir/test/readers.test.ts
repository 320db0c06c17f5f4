import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { mailboxPath } from "../src/index.ts";
import { Client, emptyFolder, serve, storing } from "./server.ts";

const hasPython = spawnSync("python3", ["--version"]).status === 0;

const program = `
import json, mailbox, sys
box = mailbox.Maildir(sys.argv[1], factory=None, create=False)
def read(folder):
    return sorted([m["Subject"], m["Delivered-To"], m.get_payload(), m.get_subdir()] for m in folder)
print(json.dumps({"inbox": read(box), "folders": {name: read(box.get_folder(name)) for name in box.list_folders()}}))
`;

const expected = (address: string): string[][] =>
  ["1", "2", "3"].map((one) => [one, address, `.dot\nline ${one}\n`, "new"]);

// A tool that is missing is a failure where everything must be proved
test.skipIf(!hasPython && process.env["CI"] === undefined)("Python's mailbox reads everything back", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root }));
  const client = await new Client(server).greet();
  for (const number of [1, 2, 3])
    await client.deliver(
      ["jane@example.com", "jane+shop@example.com"],
      `Subject: ${number}\r\n\r\n..dot\r\nline ${number}`,
    );
  client.leave();
  const read = spawnSync("python3", ["-W", "error", "-c", program, mailboxPath(root, "jane@example.com")], {
    encoding: "utf8",
  });
  expect(read.stderr).toBe("");
  expect(JSON.parse(read.stdout)).toEqual({
    inbox: expected("jane@example.com"),
    folders: { shop: expected("jane+shop@example.com") },
  });
});
