/** Octets of bodies that may be held in memory by one server, all sessions together (P10). */
export class MemoryBudget {
  readonly most: number;
  #taken = 0;

  constructor(octets: number) {
    this.most = octets;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes so many octets, or none and says false. */
  take(octets: number): boolean {
    if (this.#taken + octets > this.most) return false;
    this.#taken += octets;
    return true;
  }

  give(octets: number): void {
    this.#taken -= octets;
  }
}
