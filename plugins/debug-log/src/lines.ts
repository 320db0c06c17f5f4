/** Lines that wait to be written, up to a bound; those for which there was no room are counted where they are missing. */
export class Lines {
  text = "";
  /** Those that came since the last `take`, the missing ones too. */
  count = 0;
  #missing = 0;
  readonly #tell: (missing: number) => string;

  constructor(tell: (missing: number) => string) {
    this.#tell = tell;
  }

  add(line: string, room: number): void {
    this.count += 1;
    if (this.text.length + line.length > room) this.#missing += 1;
    else if (this.#missing === 0) this.text += line;
    else this.text = this.cut() + this.#notice() + line;
  }

  /** What there is so far; what is missing behind it is not told yet. */
  cut(): string {
    const { text } = this;
    this.text = "";
    return text;
  }

  /** All there is; it begins anew. */
  take(): { readonly text: string; readonly count: number } {
    const taken = { text: this.cut() + this.#notice(), count: this.count };
    this.count = 0;
    return taken;
  }

  #notice(): string {
    const notice = this.#missing === 0 ? "" : this.#tell(this.#missing);
    this.#missing = 0;
    return notice;
  }
}
