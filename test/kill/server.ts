// The server that test/kill.test.ts kills: stores everything below the folder it is given, and prints its port.
import { definePlugin, mailhost } from "@mailhost/core";
import maildir from "@mailhost/plugin-maildir";

const [root = ""] = process.argv.slice(2);

const everybody = definePlugin({
  name: "everybody",
  version: "1.0.0",
  core: "^1.0.0",
  apply: (host) =>
    host.hooks.rcpt.tap("everybody", (recipient) => {
      recipient.permit("local");
      recipient.routeTo({ transport: "maildir" });
    }),
});

const server = mailhost({ name: "mx.example.com", plugins: [everybody(), maildir({ root })] });
await server.listen(0, "127.0.0.1");
process.stdout.write(`${server.addresses[0]?.port ?? 0}\n`);
