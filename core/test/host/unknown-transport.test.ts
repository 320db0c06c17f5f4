import { type ConfigurationError, type MailhostOptions, definePlugin, mailhost } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { expect, test } from "vitest";

const problemsOf = (options: MailhostOptions): Promise<ConfigurationError["problems"]> =>
  mailhost(options)
    .prepare()
    .then(
      () => [],
      (error: ConfigurationError) => error.problems,
    );

test("a queue tap on a transport that nobody provides is a start-up error with the nearest name", async () => {
  const typo = definePlugin({
    name: "typo",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) => host.hooks.queue.for("snik").tap("typo", () => {}),
  });
  expect(await problemsOf({ plugins: [sink(), typo()] })).toEqual([
    {
      code: "UNKNOWN_TRANSPORT",
      where: "plugins[1]",
      what: "plugin typo taps queue of the transport snik, which no plugin provides",
      mend: "Did you mean sink?",
    },
  ]);
});

test("the memory of all messages is no setting of one listener", async () => {
  const problems = await problemsOf({ plugins: [sink()], listeners: [{ port: 0, limits: { memoryOctets: 1 } }] });
  expect(problems.map(({ code, where }) => [code, where])).toEqual([
    ["UNKNOWN_OPTION", "listeners[0].limits.memoryOctets"],
  ]);
});
