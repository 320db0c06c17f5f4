/**
 * What is there, or will be. A tap of `tapAsync` that has its answer calls `done` before it returns: where nobody has to
 * wait there is no promise, and a pipelined group is answered in one write.
 */
export type Soon<T> = T | Promise<T>;

/** Goes on with the value, now or when it is there. */
export const soon = <T, R>(value: Soon<T>, then: (value: T) => Soon<R>): Soon<R> =>
  value instanceof Promise ? value.then(then) : then(value);

/** Does the work; what it throws or rejects with goes to `failed`. */
export function attempt<T>(work: () => Soon<T>, failed: (error: unknown) => Soon<T>): Soon<T> {
  try {
    const value = work();
    return value instanceof Promise ? value.catch(failed) : value;
  } catch (error) {
    return failed(error);
  }
}

/** All of them, in order. */
export const allSoon = <T>(values: readonly Soon<T>[]): Soon<readonly T[]> =>
  values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as readonly T[]); // none is a promise

/** What `begin` calls back with, once. */
export function calledBack<T>(begin: (done: (value: T) => void) => void): Soon<T> {
  let answer: { readonly value: T } | undefined;
  let resolve: ((value: T) => void) | undefined;
  begin((value) => {
    answer = { value };
    resolve?.(value);
  });
  return answer === undefined ? new Promise((settle) => (resolve = settle)) : answer.value;
}
