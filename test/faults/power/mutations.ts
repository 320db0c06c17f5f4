import type { DiskLog, Step } from "./disk.ts";

/** The log of a server that forgets something, or does it in the wrong order. */
export type Mutation = (log: DiskLog) => DiskLog;

/** As if nobody had synced what the pattern names. */
export const unsynced =
  (path: RegExp): Mutation =>
  (log) => {
    const steps = log.steps.filter(({ kind, about }) => kind !== "sync" || !path.test(about));
    if (steps.length === log.steps.length) throw new Error(`nobody synced ${String(path)}`);
    return { ...log, steps };
  };

/** As if one thing had been done just before another. */
export const before =
  (what: RegExp, other: RegExp): Mutation =>
  (log) => {
    const moment = find(log, other).begun - 0.5;
    return moved(log, find(log, what).about, { begun: moment - 0.25, ended: moment });
  };

/** As if one thing had begun before another was over. */
export const amid =
  (what: RegExp, other: RegExp): Mutation =>
  (log) => {
    const { begun } = find(log, other);
    return moved(log, find(log, what).about, { begun: begun - 0.5 });
  };

function find({ steps }: DiskLog, about: RegExp): Step {
  const step = steps.find((one) => about.test(one.about));
  if (step === undefined) throw new Error(`nobody did ${String(about)}`);
  return step;
}

function moved(log: DiskLog, about: string, span: Partial<Pick<Step, "begun" | "ended">>): DiskLog {
  const steps = log.steps.map((step) => (step.about === about ? { ...step, ...span } : step));
  return { ...log, steps: steps.toSorted((one, other) => one.ended - other.ended) };
}
