/** From the first hour until the other begins, in UTC; over midnight when the first is the later one. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

const hourOf = (milliseconds: number): number => new Date(milliseconds).getUTCHours();

export function isOpen(now: number, { from, to }: Hours): boolean {
  const hour = hourOf(now);
  return from <= to ? hour >= from && hour < to : hour >= from || hour < to;
}
