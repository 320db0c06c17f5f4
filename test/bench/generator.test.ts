// The bench believes no server: each of these lies in one place.
import { type Server, createServer } from "node:net";
import { afterAll, afterEach, expect, test } from "vitest";
import { Driver } from "../../bench/speed/driver.mts";
import { letter } from "../../bench/speed/workloads.mts";

const honest: Readonly<Record<string, string>> = {
  greeting: "220 here\r\n",
  EHLO: "250-here\r\n250 PIPELINING\r\n",
  AUTH: "235 Ok\r\n",
  MAIL: "250 Ok\r\n",
  RCPT: "250 Ok\r\n",
  DATA: "354 Go on\r\n",
  body: "250 Ok\r\n",
  QUIT: "221 Bye\r\n",
};

let server: Server | undefined;
afterEach(() => server?.close());
const driver = new Driver();
afterAll(() => driver.stop());

/** A server that gives these replies, and ends the connection where there is none. */
async function serving(replies: Readonly<Record<string, string>>): Promise<number> {
  server = createServer((socket) => {
    let inBody = false;
    let text = "";
    socket.on("error", () => {});
    const say = (what: string): void => {
      const reply = replies[what];
      if (reply === undefined) socket.destroy();
      else socket.write(reply);
    };
    say("greeting");
    socket.on("data", (chunk) => {
      const lines = (text + chunk.toString("latin1")).split("\r\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const verb = line.slice(0, 4);
        if (inBody && line !== ".") continue;
        say(inBody ? "body" : verb);
        inBody = !inBody && verb === "DATA";
      }
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server?.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

const few = { ...letter, messages: 4, parallel: 2, recipients: 3 };
const loads = {
  "a connection each": { ...few, kept: false },
  kept: few,
  pipelined: { ...few, pipelined: true },
  "open loop": { ...few, recipients: 1, perSecond: 1000 },
};

test.each(Object.entries(loads))("%s: an honest server is measured", async (_name, load) => {
  const done = await driver.drive({ ...load, port: await serving(honest) });
  expect(done.seconds).toBeGreaterThan(0);
  expect(done.p99).toBeGreaterThan(0);
});

const lies = {
  "greets with 554": { greeting: "554 No\r\n" },
  "refuses EHLO": { EHLO: "502 No\r\n" },
  "changes its mind within a reply": { EHLO: "250-here\r\n251 PIPELINING\r\n" },
  "refuses MAIL": { MAIL: "451 Later\r\n" },
  "refuses a recipient": { RCPT: "550 No\r\n" },
  "refuses DATA": { DATA: "503 No\r\n" },
  "refuses the message": { body: "452 Full\r\n" },
  "says 250 twice": { body: "250 Ok\r\n250 Ok\r\n" },
  "goes on behind 221": { QUIT: "221 Bye\r\n250 Ok\r\n" },
};
const { kept: _like, ...unlike } = loads; // pipelined takes the same way
for (const [name, load] of Object.entries(unlike))
  test.each(Object.entries(lies))(`${name}: one that %s is not`, async (_lie, replies) => {
    const port = await serving({ ...honest, ...replies });
    await expect(driver.drive({ ...load, port })).rejects.toThrow();
  });

test.each(Object.keys(honest).filter((what) => what !== "AUTH"))("one that hangs up at %s is not", async (what) => {
  const { [what]: _gone, ...replies } = honest;
  const port = await serving(replies);
  await expect(driver.drive({ ...few, port })).rejects.toThrow(/closed|ECONNRESET/);
});

test("a session with AUTH is held to 235", async () => {
  const load = { ...few, session: "auth" as const };
  expect((await driver.drive({ ...load, port: await serving(honest) })).seconds).toBeGreaterThan(0);
  const port = await serving({ ...honest, AUTH: "535 No\r\n" });
  await expect(driver.drive({ ...load, port })).rejects.toThrow("535 for 235");
});
