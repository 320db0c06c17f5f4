import { type Log, type Mailhost, type MailhostOptions, type TraceEvent, definePlugin, mailhost } from "@mailhost/core";
import { Client, type SpeakerOptions } from "./client.ts";
import { TestClock } from "./clock.ts";
import { TestResolver } from "./resolver.ts";

/** What `mailhost()` takes, with a clock and a resolver that tests control. */
export interface HostOptions extends Omit<MailhostOptions, "clock" | "resolver"> {
  readonly clock?: TestClock;
  readonly resolver?: TestResolver;
  /** Gets every line of the log too. Without, nothing is printed. */
  readonly log?: Log;
}

/** A line of the log. */
export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: object;
}

/** A server in memory: no port, no socket, no waiting, nothing printed. */
export class TestHost implements AsyncDisposable {
  readonly server: Mailhost;
  readonly clock: TestClock;
  readonly resolver: TestResolver;
  /** Everything that was logged. */
  readonly log: LogLine[] = [];
  /** Every event of the trace, of all sessions. */
  readonly trace: TraceEvent[] = [];
  readonly #clients = new Set<Client>();
  #options: MailhostOptions;

  constructor(options: HostOptions) {
    this.clock = options.clock ?? new TestClock();
    this.resolver = options.resolver ?? new TestResolver();
    this.resolver.clock ??= this.clock;
    const { clock, resolver } = this;
    this.#options = { name: "mx.example.com", ...options, clock, resolver, log: this.#makeLog(options.log) };
    this.server = mailhost(this.#watched());
  }

  /** Checks everything and sets plugins up. Rejects with a ConfigurationError. */
  async prepare(): Promise<this> {
    await this.server.prepare();
    return this;
  }

  /** Connects. Each client is a dialogue of its own. */
  client(options: SpeakerOptions = {}): Client {
    const speaker: Client = new Client(this.server, options, async () => void this.#clients.delete(speaker));
    this.#clients.add(speaker);
    return speaker;
  }

  /** Puts new options over the old ones in force for new clients, as SIGHUP does. On an error the old ones stay in force. */
  async reload(options: Omit<HostOptions, "clock" | "resolver" | "log">): Promise<void> {
    const before = this.#options;
    this.#options = { ...before, ...options };
    try {
      await this.server.reload(this.#watched());
    } catch (error) {
      this.#options = before;
      throw error;
    }
  }

  /** Hangs up every client and closes the server and what plugins opened. */
  async close(): Promise<void> {
    for (const speaker of this.#clients) speaker.hangUp("end of the test");
    this.#clients.clear();
    await this.server.close();
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The options, and one plugin more that watches. */
  #watched(): MailhostOptions {
    const watcher = definePlugin({
      name: "testkit-trace",
      version: "1.0.0",
      core: "*",
      apply: (host) => host.hooks.trace.tap("testkit-trace", (event) => void this.trace.push(event)),
    });
    return { ...this.#options, plugins: [...(this.#options.plugins ?? []), watcher()] };
  }

  #makeLog(also?: Log): Log {
    const say =
      (level: keyof Log) =>
      (fields: object, message: string): void => {
        this.log.push({ level, message, fields });
        also?.[level](fields, message);
      };
    return { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  }
}

/** Sets a server up in memory. Rejects with its ConfigurationError. */
export const host = (options: HostOptions): Promise<TestHost> => new TestHost(options).prepare();
