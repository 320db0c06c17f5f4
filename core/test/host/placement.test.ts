import { definePlugin } from "@mailhost/core";
import { host, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";

test("a program gives each listener its own plugins, and one plugin may stand twice", async () => {
  const stamp = definePlugin<{ text: string }>({
    name: "stamp",
    version: "1.0.0",
    core: "^1.0.0",
    apply(own, { text }) {
      own.hooks.data.tap("stamp", (message) => message.addField("X-Stamp", `${own.name} ${text}`));
    },
  });
  const box = sink();
  const server = await host({
    plugins: [box, stamp({ text: "both" })],
    listeners: [
      { name: "a", port: 0 },
      { name: "b", port: 0, plugins: [stamp({ text: "b alone" }, { as: "second" })] },
    ],
  });
  for (const listener of ["a", "b"]) {
    const speaker = server.client({ listener });
    await speaker.reply();
    await speaker.ask("EHLO client.test");
    await speaker.deliver({ from: "joe@example.net", to: "jane@example.com" });
    speaker.hangUp();
  }
  const stamps = box.messages.map(({ text }) => [...text.matchAll(/^X-Stamp: (.*)\r$/gm)].map(([, said]) => said));
  expect(stamps).toEqual([["stamp both"], ["second b alone", "stamp both"]]);
  await server.close();
});
