import { definePlugin } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { test } from "vitest";

// RFC 5321 §4.5.1: postmaster at the server's own name is permitted, whatever the plugins name.

const dialogue = (recipient: string, reply: string): string => `
  S: 220 *
  C: HELO client.test
  S: 250 *
  C: MAIL FROM:<>
  S: 250 *
  C: RCPT TO:${recipient}
  S: ${reply}
`;

const options = { name: "MX.Example.COM", default: { local: "sink" } };

test.each(["<postmaster>", "<Postmaster>", "<POSTMASTER@mx.example.com>", "<postmaster@MX.example.com>"])(
  "%s is permitted without any plugin that permits",
  (recipient) =>
    transcript(() => ({ ...options, plugins: [sink({ everything: false })] }), dialogue(recipient, "250 2.1.5 *")),
);

test.each([
  "<postmaster@example.com>",
  "<postmaster1@mx.example.com>",
  "<jane@mx.example.com>",
  '<"postmaster "@mx.example.com>',
])("%s is not the server's postmaster", (recipient) =>
  transcript(() => ({ ...options, plugins: [sink({ everything: false })] }), dialogue(recipient, "550 5.7.1 *")),
);

test("postmaster is stored here, never passed on", () => {
  const relay = definePlugin({
    name: "relay",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({ transports: [{ kind: "relay", phases: "two" }] });
      host.hooks.rcpt.tap("relay", (recipient) => recipient.routeTo({ transport: "relay" }));
    },
  });
  return transcript(() => ({ ...options, default: {}, plugins: [relay()] }), dialogue("<postmaster>", "550 5.7.1 *"));
});
