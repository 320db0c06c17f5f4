import { type ConfigurationError, mailhost } from "@mailhost/core";
import mux from "@mailhost/plugin-mux";
import { sink } from "@mailhost/testkit";
import { expect, test } from "vitest";

test("a route to a transport that nobody provides is a start-up error with the nearest name", async () => {
  const server = mailhost({
    plugins: [sink({ everything: false }), mux({ routes: { "*@example.com": "snik", "joe@example.net": "sink" } })],
  });
  const error: ConfigurationError = await server.prepare().then(
    () => Promise.reject(new Error("it started")),
    (reason: ConfigurationError) => reason,
  );
  expect(error.problems).toEqual([
    {
      code: "BAD_OPTION",
      where: "plugins[1].options.routes.*@example.com",
      what: "plugin mux routes to the transport snik, which no plugin provides",
      mend: "Did you mean sink?",
    },
  ]);
});
