import type { Floor } from "./floor.ts";

/** Commands one client is heard for in one turn of the event loop: a hundred recipients with all that goes with them are answered at once. */
const mostCommands = 128;
/** Octets it is heard for: one read. */
const mostOctets = 64 * 1024;

let turn = 0;
let counting = false;

/** Numbers the turns of the event loop, one immediate for all who ask. */
function currentTurn(): number {
  if (!counting) {
    counting = true;
    setImmediate(() => {
      counting = false;
      turn += 1;
    });
  }
  return turn;
}

/** Before so much of it nobody asks whether the turn is another: each immediate costs the loop a round, and few clients say so much at once. */
const unasked = 1 / 4;

/** What one client was heard for in this turn. Without an end to it, whoever sends much in one piece keeps all others waiting. */
export class Turn {
  #resting = false;
  #number = -1;
  #commands = 0;
  #octets = 0;
  readonly #floor: Pick<Floor, "resume">;

  constructor(floor: Pick<Floor, "resume">) {
    this.#floor = floor;
  }

  /** It had its turn: others are heard first. */
  get resting(): boolean {
    return this.#resting;
  }

  command(octets: number): void {
    this.body(octets);
    this.#commands += 1;
  }

  body(octets: number): void {
    if (this.#commands >= mostCommands * unasked || this.#octets >= mostOctets * unasked) this.#look();
    this.#octets += octets;
  }

  #look(): void {
    const number = currentTurn();
    if (number !== this.#number) this.#begin();
    this.#number = number;
  }

  /** Lets others be heard if it was heard enough. */
  yield(): void {
    const over = this.#commands >= mostCommands || this.#octets >= mostOctets;
    if (this.#resting || !over) return;
    this.#resting = true;
    setImmediate(() => {
      this.#resting = false;
      this.#begin();
      this.#floor.resume();
    });
  }

  /** It is another one. */
  #begin(): void {
    this.#commands = this.#octets = 0;
  }
}
