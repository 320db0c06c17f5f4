import { defineConfig } from "mailhost";

const certificates = "/etc/mailhost/mx.example.com";

export default defineConfig({
  name: "mx.example.com",

  listeners: [
    // Mail from other servers: for our addresses, from anybody
    { name: "mx", port: 25 },
    // Mail our people hand in: after STARTTLS and AUTH
    { name: "submission", port: 587, mode: "submission", plugins: [["auth-plain", { users: "./users" }]] },
    // The same with TLS from the first octet
    {
      name: "submissions",
      port: 465,
      mode: "submission",
      tls: "implicit",
      plugins: [["auth-plain", { users: "./users" }]],
    },
  ],

  plugins: [
    ["starttls", { cert: `${certificates}/fullchain.pem`, key: `${certificates}/privkey.pem` }],
    // Who may be written to: nobody else's domain, so this is no open relay
    ["addressable", { addresses: ["jane@example.com", "joe@example.com", "sales@example.com"] }],
    // Where it goes
    [
      "mux",
      {
        routes: {
          "sales@example.com": { transport: "maildir", nexthop: "jane@example.com" },
          "*@example.com": "maildir",
        },
      },
    ],
    ["maildir", { root: "/var/mail/mailhost" }],
  ],

  // For <postmaster>, whom every server takes mail for (RFC 5321 §4.5.1)
  default: { local: "maildir" },
});
