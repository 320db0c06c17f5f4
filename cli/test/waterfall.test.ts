import { expect, test } from "vitest";
import { folder, run, serve, takesAll, write } from "./support.ts";
import { Talk } from "./talk.ts";

const config = (waterfall: object, more = ""): string => `${more}
  import { defineConfig } from "mailhost";
  export default defineConfig({
    name: "mx.shop.test",
    listeners: [{ host: "127.0.0.1", port: 0 }],
    plugins: ["./takes-all.mts", ["waterfall", ${JSON.stringify(waterfall)}]],
  });`;

const files = (waterfall: object, more?: string) => ({
  "mailhost.config.mts": config(waterfall, more),
  "takes-all.mts": takesAll,
});

async function handIn(port: number): Promise<string> {
  const talk = new Talk(port);
  await talk.hears(/^220 /);
  for (const line of ["HELO client.test", "MAIL FROM:<>", "RCPT TO:<jane@shop.test>", "DATA"]) talk.say(line);
  await talk.hears(/^354 /m);
  for (const line of ["Subject: x", "", "y", ".", "QUIT"]) talk.say(line);
  return /queued as (\w+)/.exec(await talk.closed())?.[1] ?? "no id";
}

test("the log has one line of JSON, found by queue id and by session id", async () => {
  const served = await serve(["--json-logs"], { cwd: folder(files({})) });
  const id = await handIn(served.ports[0] ?? 0);
  await served.until((text) => text.includes("waterfall of "));
  const lines = served.err().trim().split("\n");
  const found = lines.filter((line) => line.includes(id)).map((line): object => JSON.parse(line));
  const [line] = found.filter((one) => "rows" in one);
  const taken = found.find((one) => !("rows" in one));
  expect(taken).toMatchObject({ transaction: id });
  expect(line).toMatchObject({
    plugin: "waterfall",
    session: taken !== undefined && "session" in taken ? taken.session : "none",
    transactions: [id],
    client: "127.0.0.1",
    end: "quit",
    rows: [
      {
        type: "tap",
        hook: "rcpt",
        plugin: "takes-all",
        version: "1.2.3",
        words: ["permit local", "route to takes-all"],
      },
      { type: "route" },
      { type: "body" },
      { type: "tap", hook: "queue", edits: [{ kind: "stage" }] },
      { type: "tap", hook: "queue", tap: "commit", verdict: "silent" },
      { type: "delivered" },
    ],
  });
});

test("on request: put into the configuration of a server that runs, and taken out again", async () => {
  const plugins = ["./takes-all.mts"];
  const settings = (more: readonly unknown[]): string =>
    JSON.stringify({
      name: "mx.shop.test",
      listeners: [{ host: "127.0.0.1", port: 0 }],
      plugins: [...plugins, ...more],
    });
  const cwd = folder({ "mailhost.config.json": settings([]), "takes-all.mts": takesAll });
  const served = await serve(["--json-logs"], { cwd });
  const reload = async (more: readonly unknown[], times: number): Promise<void> => {
    write(cwd, { "mailhost.config.json": settings(more) });
    served.process.kill("SIGHUP");
    await served.until((text) => text.split("configuration reloaded").length > times);
  };
  const [port = 0] = served.ports;
  const ids = [await handIn(port)];
  await reload(["waterfall"], 1);
  ids.push(await handIn(port));
  await served.until((text) => text.includes("waterfall of "));
  await reload([], 2);
  ids.push(await handIn(port));
  await served.until((text) => text.includes(`took message ${ids[2]}`));
  const lines = served
    .err()
    .split("\n")
    .filter((line) => line.includes("waterfall of "));
  expect(lines).toHaveLength(1);
  expect(ids.map((id) => lines[0]?.includes(id))).toEqual([false, true, false]);
});

test("spans go to the tracer that the configuration, or what is imported before it, registers", async () => {
  const sdk = `
    import { trace } from "@opentelemetry/api";
    import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
    const spanProcessors = [new SimpleSpanProcessor(new ConsoleSpanExporter())];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));`;
  const served = await serve([], { cwd: folder(files({ log: false, spans: true }, sdk)) });
  const id = await handIn(served.ports[0] ?? 0);
  await served.until((text) => text.includes("smtp session"));
  expect(served.out()).toContain(`'mailhost.transaction.id': '${id}'`);
});

test("spans without @opentelemetry/api: none, or an error that says how to mend it", async () => {
  const without = `
    import { register } from "node:module";
    const hook = 'export const resolve = (name, context, next) => { if (name === "@opentelemetry/api") throw new Error("Cannot find package"); return next(name, context); };';
    register("data:text/javascript," + encodeURIComponent(hook));`;
  const check = async (waterfall: object) => {
    const cwd = folder({ ...files(waterfall), "without.mjs": without });
    return run(["check"], { cwd, env: { NODE_OPTIONS: "--import ./without.mjs" } });
  };
  expect((await check({})).code).toBe(0);
  const { code, out, err } = await check({ spans: true });
  expect(code).toBe(78);
  expect(out + err).toMatch(
    /plugins\[1\]\.options\.spans\n.*cannot load @opentelemetry\/api[^]*npm install @opentelemetry\/api/,
  );
});
