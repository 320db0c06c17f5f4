import { random } from "../../core/test/laws/form.ts";

/** A message that its number makes: the same one whenever it is handed in, and whenever it is looked at. */
export interface Letter {
  readonly number: number;
  readonly recipients: readonly string[];
  /** With CRLF line ends. */
  readonly text: string;
}

const people = Array.from(
  { length: 40 },
  (_, at) => `${at % 4 === 3 ? `u${at}+list` : `u${at}`}@${at % 2}.example.com`,
);

/** Every mailbox a letter may be for. */
export const boxes: readonly string[] = people;

/** So many lines, or as many as its number makes. */
export function letter(number: number, size?: number): Letter {
  const below = random(number);
  const first = below(people.length);
  const recipients = Array.from({ length: 1 + below(3) }, (_, at) => people[(first + at) % people.length] ?? "");
  // Small ones, and now and then one that does not stay in memory
  const lines = size ?? (below(250) === 0 ? 12_000 : 1 + below(40));
  const body = Array.from({ length: lines }, (_, at) => `line ${at} of ${number}\r\n`).join("");
  return { number, recipients, text: `Message-ID: <${number}@client.test>\r\n\r\n${body}end of ${number}\r\n` };
}
