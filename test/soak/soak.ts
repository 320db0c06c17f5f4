import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Ledger } from "../kill/ledger.ts";
import type { Form } from "../support/command.ts";
import { Load } from "./load.ts";
import { type Sample, Soaked } from "./server.ts";

export interface Soak {
  readonly form: Form;
  readonly warmSeconds: number;
  /** Behind that. */
  readonly seconds: number;
  /** Between two reloads; every fifth is of a configuration that is wrong. */
  readonly reloadSeconds: number;
  readonly swapSeconds: number;
  readonly sampleSeconds: number;
  readonly seed: number;
  readonly report?: (line: string) => void;
}

export interface Soaking {
  /** Under load, after the warm-up. */
  readonly samples: readonly Sample[];
  /** Without a client: before and after. */
  readonly quiet: readonly [Sample, Sample];
  readonly counts: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

const expected = [/"configuration not reloaded, the old one stays in force: .*Did you mean root/i];

/** Mixed load, with reloads and new certificates meanwhile. */
export async function soak(options: Soak): Promise<Soaking> {
  const { form, warmSeconds, seconds, seed, report = () => {} } = options;
  const server = await Soaked.start(form, 6);
  const ledger = new Ledger(join(server.folder, "mail"));
  const [transfer = 0, submission = 0, submissions = 0] = server.command.ports;
  const trusted = server.certificates.map(({ cert }) => cert);
  const load = new Load({ transfer, submission, submissions }, ledger, trusted, seed);
  const samples: Sample[] = [];
  try {
    const changes = new Changes(server, options);
    await Promise.all([load.run(warmSeconds), changes.run(warmSeconds)]);
    const before = await quiet(server);
    report(`quiet: ${show(before)}`);
    const looks = async (): Promise<void> => {
      const until = performance.now() + seconds * 1000;
      while (performance.now() + options.sampleSeconds * 1000 < until && load.problems.length === 0) {
        await sleep(options.sampleSeconds * 1000);
        samples.push(await server.sample());
        ledger.check();
        const problems = [...load.problems, ...ledger.problems].map((problem) => `\n  ${problem}`).join("");
        report(`${show(samples.at(-1))}; ${ledger.acknowledged} acknowledged, ${server.reloads} reloads${problems}`);
      }
    };
    await Promise.all([load.run(seconds), changes.run(seconds), looks()]);
    const after = await quiet(server);
    report(`quiet: ${show(after)}`);
    ledger.check();
    const stray = load.seen.size > 0 && [...load.seen].some((one) => !server.fingerprints.includes(one));
    const { reloads, refusedReloads, swaps } = server;
    const { acknowledged, copies, doubles } = ledger;
    const complaints = server.command.complaints.filter((line) => !expected.some((one) => one.test(line)));
    const code = await server.close();
    return {
      samples,
      quiet: [before, after],
      counts: {
        acknowledged,
        copies,
        ...load.counts,
        reloads,
        refusedReloads,
        swaps,
        certificatesSeen: load.seen.size,
      },
      problems: [
        ...load.problems,
        ...ledger.problems,
        ...complaints,
        ...(doubles > 0 ? [`${doubles} doubles`] : []),
        ...(stray ? ["a certificate that is none of ours"] : []),
        ...(code === 0 ? [] : [`exit code ${code}`]),
      ],
    };
  } finally {
    server.command.kill("SIGKILL");
  }
}

/** Reloads and new certificates, one after the other: between the two files of a pair there is nothing to read. */
class Changes {
  readonly #server: Soaked;
  readonly #options: Soak;
  #turn = 0;

  constructor(server: Soaked, options: Soak) {
    this.#server = server;
    this.#options = options;
  }

  async run(seconds: number): Promise<void> {
    const until = performance.now() + seconds * 1000;
    let swapAt = performance.now() + this.#options.swapSeconds * 1000;
    while (performance.now() < until) {
      this.#turn += 1;
      if (performance.now() >= swapAt) {
        this.#server.swap();
        swapAt = performance.now() + this.#options.swapSeconds * 1000;
      }
      if (this.#turn % 5 === 0) await this.#server.reloadWrong();
      else await this.#server.reload();
      await sleep(this.#options.reloadSeconds * 1000);
    }
  }
}

/** Nobody is there, and the same plugins each time. */
async function quiet(server: Soaked): Promise<Sample> {
  do await server.reload();
  while (server.reloads % 2 === 1);
  return server.sample(true);
}

const mebi = 1024 * 1024;

export const show = (sample: Sample | undefined): string =>
  sample === undefined
    ? ""
    : `${sample.at.toFixed(0)} s: heap ${(sample.heap / mebi).toFixed(2)} MiB, resident ${(sample.resident / mebi).toFixed(1)} MiB, ${sample.descriptors} descriptors`;

/** What the straight line through the samples rises in an hour (least squares). */
export function perHour(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const mean = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  const [middle, level] = [mean(samples.map(({ at }) => at)), mean(samples.map(of))];
  const rise = samples.reduce((sum, one) => sum + (one.at - middle) * (of(one) - level), 0);
  return (3600 * rise) / samples.reduce((sum, { at }) => sum + (at - middle) ** 2, 0);
}
