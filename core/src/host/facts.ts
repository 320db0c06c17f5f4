/** A typed fact that plugins share about a session, a transaction or a message. */
export interface Fact<T> {
  readonly name: string;
  of(about: object): T | undefined;
  set(about: object, value: T): void;
}

const stores = new Map<string, WeakMap<object, unknown>>();

/**
 * Names a fact, e.g. `defineFact<Spf>("mailhost-plugin-spf/spf")`. Whoever names the same fact reads the same values;
 * they live as long as the thing they are about.
 */
export function defineFact<T>(name: string): Fact<T> {
  const store = stores.get(name) ?? new WeakMap<object, unknown>();
  stores.set(name, store);
  return {
    name,
    // One name, one type: the contract of whoever exports the fact
    of: (about) => store.get(about) as T | undefined,
    set: (about, value) => void store.set(about, value),
  };
}
