/** When two local parts of a domain are the same mailbox. */
export interface Form {
  /** `Jane` and `jane` are two; one unless told otherwise. */
  readonly caseSensitive?: boolean | undefined;
  /** `jane.doe` and `janedoe` are one; two unless told otherwise. */
  readonly ignoreDots?: boolean | undefined;
  /** A tag starts behind the first of it; `+` unless told otherwise, `""` for no tags. */
  readonly separator?: string | undefined;
}

/** A local part in the form it is compared in. */
export interface CanonicalLocalPart {
  /** With its tag. */
  readonly whole: string;
  /** Without it. */
  readonly base: string;
}

/** A to Z compare without case. Beyond ASCII nothing is folded, or U+212A would pose as a k. */
const fold = (text: string): string =>
  /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;

/** Where the tag's separator stands, or -1. What starts with a separator has no tag: nothing would be left. */
function separatorAt(localPart: string, { separator = "+" }: Form): number {
  const at = separator === "" ? -1 : localPart.indexOf(separator);
  return at > 0 ? at : -1;
}

export function canonicalLocalPart(localPart: string, form: Form): CanonicalLocalPart {
  const folded = form.caseSensitive === true ? localPart : fold(localPart);
  const at = separatorAt(folded, form);
  const untagged = at < 0 ? folded : folded.slice(0, at);
  const base = form.ignoreDots === true ? untagged.replaceAll(".", "") : untagged;
  return { base, whole: at < 0 ? base : base + folded.slice(at) };
}

/** What stands behind the first separator, as written. */
export function tagOf(localPart: string, form: Form): string | undefined {
  const at = separatorAt(localPart, form);
  return at < 0 ? undefined : localPart.slice(at + (form.separator ?? "+").length);
}
