/** A message as a client hands it in, with LF line ends as a Maildir holds it. */
export interface Sample {
  readonly name: string;
  readonly octets: Buffer;
}

const header = (subject: string, more = ""): string =>
  `From: Jane <jane@example.com>\nTo: Joe <joe@example.com>\nSubject: ${subject}\nDate: Sun, 22 Nov 2026 12:00:00 +0000\nMessage-ID: <${subject.replaceAll(" ", "-")}@client.test>\n${more}\n`;

export const plain: Sample = {
  name: "plain text with dots",
  octets: Buffer.from(`${header("plain")}Hello\n.\n..\n.dot\nend .\n`),
};

export const eightBit: Sample = {
  name: "8-bit text",
  octets: Buffer.concat([
    Buffer.from(
      header(
        "eight",
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n",
      ),
    ),
    Buffer.from([0x67, 0x72, 0xfc, 0xdf, 0x65, 0x20, 0xe9, 0x0a]),
  ]),
};

/** A base64 attachment of so many megabytes, encoded. */
export function big(megabytes: number): Sample {
  const line = `${"QUJD".repeat(19)}\n`;
  const lines = Math.ceil((megabytes * 1024 * 1024) / line.length);
  const mime = "MIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n";
  return { name: `${megabytes} MB`, octets: Buffer.from(header("big", mime) + line.repeat(lines)) };
}

export const crlf = (octets: Buffer): Buffer =>
  Buffer.from(octets.toString("latin1").replaceAll("\n", "\r\n"), "latin1");
