/** What is there at once, or comes. Whatever is counted in memory is there at once: a group of commands is answered in one write. */
export type Soon<T> = T | Promise<T>;

/** Goes on with it, at once when it is there. */
export const andThen = <T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> =>
  value instanceof Promise ? value.then(next) : next(value);

/** Asks one after the other until one answers. */
export function firstAnswer<T>(asked: readonly (() => Soon<T | undefined>)[], from = 0): Soon<T | undefined> {
  const ask = asked[from];
  if (ask === undefined) return undefined;
  return andThen(ask(), (answer) => answer ?? firstAnswer(asked, from + 1));
}
