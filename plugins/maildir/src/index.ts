export { maildir, maildir as default, type MaildirOptions } from "./maildir.ts";
export { type Naming, type Tags, mailboxPath } from "./mailbox.ts";
export type { Quota } from "./quota.ts";
