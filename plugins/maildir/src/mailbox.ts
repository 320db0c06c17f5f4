import { resolve } from "node:path";
import { type Address, parseAddress } from "@mailhost/core";
import { folderName, longestName, lowerCase } from "./folder-name.ts";
import { type Place, placePath } from "./place.ts";

/** What becomes of `jane+tag`: a Maildir++ folder of jane's, jane's inbox, or a mailbox of its own. */
export type Tags = "folder" | "inbox" | "off";

/** How addresses become mailboxes. */
export interface Naming {
  /** Folders below the root, with `{domain}` and `{local}`. */
  readonly path: string;
  readonly tags: Tags;
  readonly separator: string;
  readonly caseSensitive: boolean;
}

export const defaultNaming: Naming = {
  path: "{domain}/{local}",
  tags: "folder",
  separator: "+",
  caseSensitive: false,
};

type Mailbox = Pick<Address, "localPart" | "domain">;

const placeholder = /\{(\w*)\}/g;

/** Where mail for an address goes. Never leaves the root: every part of the address is one encoded name. */
export function locate(naming: Naming, address: Mailbox): Place {
  const { local, tag } = splitTag(naming, address);
  const steps = naming.path.split("/").map((segment) => {
    const parts = segment.match(placeholder)?.length ?? 0;
    const most = Math.floor(longestName / Math.max(1, parts));
    return segment.replace(placeholder, (_, name) => folderName(name === "domain" ? address.domain : local, most));
  });
  return { steps, subfolder: tag === undefined ? undefined : `.${subfolderName(tag)}` };
}

/** Cuts at the first separator. Nothing before it, or nothing behind it, is no tag. */
function splitTag(naming: Naming, { localPart }: Mailbox): { local: string; tag: string | undefined } {
  const whole = naming.caseSensitive ? localPart : lowerCase(localPart);
  const at = naming.tags === "off" || naming.separator === "" ? -1 : whole.indexOf(naming.separator);
  if (at <= 0) return { local: whole, tag: undefined };
  const tag = whole.slice(at + naming.separator.length);
  return { local: whole.slice(0, at), tag: tag === "" || naming.tags === "inbox" ? undefined : tag };
}

/** A dot divides levels in Maildir++: `a.b` would be the folder b inside a. */
const subfolderName = (tag: string): string => folderName(tag, longestName, false);

/**
 * The folder that holds the mail for an address: a Maildir, with `new`, `cur` and `tmp` inside. It need not exist.
 * Throws a TypeError when the text is no address. Options as the plugin was given them.
 */
export function mailboxPath(root: string, address: Mailbox | string, naming: Partial<Naming> = {}): string {
  const mailbox = typeof address === "string" ? parseAddress(address) : address;
  if (mailbox === undefined) throw new TypeError(`${JSON.stringify(address)} is not an address`);
  return placePath(resolve(root), locate({ ...defaultNaming, ...naming }, mailbox));
}

/** Why a pattern is not usable, or undefined. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.includes("\0") || pattern.includes("\\")) return "a folder name holds neither NUL nor backslash";
  for (const segment of pattern.split("/")) {
    if (segment === "" || segment === "." || segment === "..")
      return "each name between slashes must be a folder inside the root";
    const unknown = [...segment.matchAll(placeholder)].find(([, name]) => name !== "domain" && name !== "local");
    if (unknown !== undefined) return `there is no ${unknown[0]}, only {domain} and {local}`;
    const between = segment.split(placeholder).filter((_, index) => index % 2 === 0);
    // `{local}-{domain}` would give a-b@c and a@b-c one mailbox: what divides must not occur in an encoded name
    if (between.slice(1, -1).some((text) => !/[^a-z0-9._+=%-]/.test(text)))
      return "two parts in one name must be divided by something like @";
    if (Buffer.byteLength(between.join("")) > 40) return "a folder name has at most 40 octets beside its parts";
  }
  return undefined;
}
