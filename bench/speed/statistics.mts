// Figures of rounds, and what is told of them: medians, and ratios to a base that was measured in the same rounds.
export interface Figure {
  /** Server CPU of all its processes, microseconds a message. */
  readonly microseconds: number;
  readonly perSecond: number;
  /** Part of a core that the server used: below 0.9 it was not the bottleneck. */
  readonly used: number;
  /** Milliseconds from MAIL to the answer to the dot. */
  readonly median: number;
  readonly p99: number;
  /** The most memory that its processes had, each for itself, in octets. */
  readonly peak: number;
  /** Messages that became visible in the mailbox, a second, from the first to the last. */
  readonly delivered?: number;
}

export interface Result extends Figure {
  /** CPU beside the base: the median of the rounds, and their tenth and ninetieth part. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly medianRatio: number;
  readonly p99Ratio: number;
  /** With what it does some time later, microseconds a message. */
  readonly later?: number;
}

export type Row = Record<string, Result>;

/** By number of the round: not every server takes part in every one. */
export type Rounds = ReadonlyMap<number, Figure>;

export const middle = (numbers: readonly number[], part = 0.5): number =>
  numbers.toSorted((one, other) => one - other)[Math.min(numbers.length - 1, Math.floor(numbers.length * part))] ?? NaN;

export function resultOf(its: Rounds, base: Rounds): Result {
  const figures = [...its.values()];
  const of = (pick: (figure: Figure) => number): number => middle(figures.map(pick));
  const beside = (pick: (figure: Figure) => number): number[] =>
    [...its].flatMap(([round, figure]) => {
      const other = base.get(round);
      return other === undefined ? [] : [pick(figure) / pick(other)];
    });
  const ratios = beside((one) => one.microseconds);
  const delivered = figures.flatMap((one) => one.delivered ?? []);
  return {
    microseconds: of((one) => one.microseconds),
    ratio: middle(ratios),
    low: middle(ratios, 0.1),
    high: middle(ratios, 0.9),
    perSecond: of((one) => one.perSecond),
    used: of((one) => one.used),
    median: of((one) => one.median),
    medianRatio: middle(beside((one) => one.median)),
    p99: of((one) => one.p99),
    p99Ratio: middle(beside((one) => one.p99)),
    peak: Math.max(...figures.map((one) => one.peak)),
    ...(delivered.length > 0 ? { delivered: middle(delivered) } : {}),
  };
}
