import type { TestHost } from "@mailhost/testkit";

/** One attempt to hand in a message: the line that decided it. */
export async function attempt(
  server: TestHost,
  { client = "192.0.2.1", from = "joe@example.net", to = "jane@example.com" } = {},
): Promise<string> {
  const speaker = server.client({ client });
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  const [line = ""] = await speaker.deliver({ from, to });
  speaker.hangUp();
  return line;
}
