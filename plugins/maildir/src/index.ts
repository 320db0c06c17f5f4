export { maildir, maildir as default, type MaildirOptions } from "./maildir.ts";
export { mailboxPath } from "./mailbox.ts";
