/** What one client, or all of them, may take. Counts unless the name says octets. */
export interface Limits {
  /** Command line, CRLF included; never less than 512 (RFC 5321 §4.5.3.1.4). Parameters of MAIL and RCPT come on top. */
  readonly lineOctets: number;
  /** Line of an AUTH exchange, the command's too, CRLF included (RFC 4954 §4). */
  readonly authLineOctets: number;
  /** Largest message, 0 for no limit; announced as SIZE (RFC 1870). */
  readonly messageOctets: number;
  /** Per transaction (RFC 5321 §4.5.3.1.8 asks for at least 100). */
  readonly recipients: number;
  readonly transactions: number;
  readonly commands: number;
  /** Errors of syntax and sequence in one session before 421. */
  readonly errors: number;
  readonly unknownCommands: number;
  readonly authFailures: number;
  readonly connections: number;
  readonly connectionsPerClient: number;
  /** Of one message held in memory, a sixteenth once a quarter of `memoryOctets` is taken; what is longer goes to a file. */
  readonly messageMemoryOctets: number;
  /** Of all messages together held in memory. */
  readonly memoryOctets: number;
}

export const defaultLimits: Limits = {
  lineOctets: 512,
  authLineOctets: 12_288,
  messageOctets: 25 * 1024 * 1024,
  recipients: 1000,
  transactions: 1000,
  commands: 10_000,
  errors: 10,
  unknownCommands: 5,
  authFailures: 3,
  connections: 1000,
  connectionsPerClient: 50,
  messageMemoryOctets: 4 * 1024 * 1024,
  memoryOctets: 64 * 1024 * 1024,
};

/** How long one waits, in milliseconds. */
export interface Timeouts {
  /** For the next command (RFC 5321 §4.5.3.2.7: 5 minutes). */
  readonly command: number;
  /** For the next piece of a body (§4.5.3.2.5: 3 minutes). */
  readonly data: number;
  readonly session: number;
  readonly handshake: number;
  /** For an async tap of connect, ehlo, auth, rcpt. */
  readonly tap: number;
  /** For an async tap of data and queue. */
  readonly delivery: number;
  /** For sessions to end when the server closes. */
  readonly drain: number;
}

export const defaultTimeouts: Timeouts = {
  command: 300_000,
  data: 180_000,
  session: 1_800_000,
  handshake: 10_000,
  tap: 30_000,
  delivery: 300_000,
  drain: 30_000,
};
