// What mailhost is to reach, as the table shows it beside the figures: ratios to the base of a row unless said otherwise.
export const targets: Readonly<Record<string, string>> = {
  "a connection each, 20 parallel": "1.2; ≤ 0.14 Haraka",
  "a connection each, 400 parallel": "1.12; ahead of Go seed and go-smtp; ≤ 0.5 smtp-server",
  kept: "1.25; ahead of smtp-sink; ≤ 0.5 smtp-server",
  pipelined: "1.25; ≤ 0.85 smtp-sink; ≤ 0.4 smtp-server",
  "25 MB": "1.4; ≤ 0.25 smtp-sink; ≤ 0.33 smtp-server",
  "25 MB stored": "2.5",
  "10 MB, every line dot-stuffed": "ahead of smtp-sink; ≤ 0.15 smtp-server",
  "100 recipients, pipelined": "2; ≤ 0.6 smtp-sink; ≤ 0.04 smtp-server",
  "STARTTLS, full handshake": "1.1; ≤ 0.2 Haraka",
  "STARTTLS, resumed": "1.1; ≤ 0.6 of full",
  "EHLO, AUTH PLAIN, QUIT": "1.3; ≤ 0.25 Haraka",
  "open loop, 200 messages a second": "p50 1.2, p99 1.5",
  "trace on, text dump to a file": "1.4 × mission",
  "maildir, 4 KB":
    "maildir 1.15; ≥ 2.5 × Postfix's rate, ≤ 0.35 of its CPU; journal ≥ 2 × maildir's rate, ≤ 0.5 of its CPU",
};
