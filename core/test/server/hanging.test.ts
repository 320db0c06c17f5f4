import { connect } from "node:net";
import { once } from "node:events";
import { definePlugin, mailhost } from "@mailhost/core";
import { expect, test } from "vitest";

test("a commit that never settles does not keep the server from closing", async () => {
  const complaints: string[] = [];
  const note = (_fields: object, message: string): void => void complaints.push(message);
  let committing = (): void => {};
  const begun = new Promise<void>((resolve) => (committing = resolve));
  const stuck = definePlugin({
    name: "stuck",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({ transports: [{ kind: "local", phases: "two" }] });
      host.hooks.rcpt.tap("stuck", (recipient) => {
        recipient.permit("local");
        recipient.routeTo({ transport: host.name });
      });
      host.hooks.queue.for(host.name).tap("stuck", (delivery) =>
        delivery.stage({
          commit: () => {
            committing();
            return new Promise(() => {});
          },
          abort: () => {},
        }),
      );
    },
  });
  const log = { debug: () => {}, info: () => {}, warn: note, error: note };
  const server = await mailhost({ plugins: [stuck()], log, timeouts: { drain: 50 } }).listen(0, "127.0.0.1");
  const socket = connect(server.addresses[0]?.port ?? 0, "127.0.0.1");
  await once(socket, "connect");
  socket.resume();
  socket.write("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\nhi\r\n.\r\n");
  await begun;
  await server.close();
  expect(complaints).toContain("gave up waiting for deliveries that do not end");
  socket.destroy();
});
