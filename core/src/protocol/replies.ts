import type { Reply } from "./reply.ts";

/** Every fixed reply of core, named by what happened. RFC 5321 §4.2, RFC 3463, RFC 5248. */
export const replies = {
  // session
  bye: { code: 221, status: "2.0.0", text: "Bye" },
  ok: { code: 250, status: "2.0.0", text: "Ok" },
  shuttingDown: { code: 421, status: "4.3.2", text: "Service shutting down, try again later" },
  idleTooLong: { code: 421, status: "4.4.2", text: "Timeout waiting for the client" },
  sessionTooLong: { code: 421, status: "4.4.2", text: "Session lasted too long" },
  tooManyConnections: { code: 421, status: "4.7.0", text: "Too many connections, try again later" },
  tooManyFromYou: { code: 421, status: "4.7.0", text: "Too many connections from your address" },
  tooManyErrors: { code: 421, status: "4.7.0", text: "Too many errors" },
  tooManyCommands: { code: 421, status: "4.7.0", text: "Too many commands" },
  tooManyUnknown: { code: 421, status: "4.7.0", text: "Too many unknown commands" },
  otherProtocol: { code: 554, status: "5.5.1", text: "This is an SMTP server" },
  internal: { code: 451, status: "4.3.0", text: "Temporary local problem" },

  // syntax
  lineTooLong: { code: 500, status: "5.5.2", text: "Line too long" },
  badLineEnd: { code: 500, status: "5.5.2", text: "Lines must end with CRLF" },
  badOctets: { code: 500, status: "5.5.2", text: "Line holds octets that are not allowed" },
  unknownCommand: { code: 500, status: "5.5.1", text: "Command not recognized" },
  needsArgument: { code: 501, status: "5.5.4", text: "An argument is required" },
  noArgument: { code: 501, status: "5.5.4", text: "No argument is allowed" },
  badGreeting: { code: 501, status: "5.5.4", text: "A name or an address literal is required" },
  badMail: { code: 501, status: "5.5.4", text: "Syntax: MAIL FROM:<address> [parameters]" },
  badRcpt: { code: 501, status: "5.5.4", text: "Syntax: RCPT TO:<address> [parameters]" },
  badReversePath: { code: 501, status: "5.1.7", text: "Bad sender address syntax" },
  badForwardPath: { code: 501, status: "5.1.3", text: "Bad recipient address syntax" },
  badParameter: { code: 501, status: "5.5.4", text: "Bad parameter value" },
  repeatedParameter: { code: 501, status: "5.5.4", text: "Parameter given twice" },
  unknownParameter: { code: 555, status: "5.5.4", text: "Parameter not recognized" },
  notImplemented: { code: 502, status: "5.5.1", text: "Command not implemented" },
  cannotVerify: { code: 252, status: "2.5.0", text: "Cannot verify, send it and see" },

  // sequence
  badSequence: { code: 503, status: "5.5.1", text: "Bad sequence of commands" },
  greetFirst: { code: 503, status: "5.5.1", text: "Say EHLO or HELO first" },
  nestedMail: { code: 503, status: "5.5.1", text: "Transaction already open" },
  noValidRecipients: { code: 554, status: "5.5.1", text: "No valid recipients" },
  mustEndGroup: { code: 503, status: "5.5.1", text: "Nothing may follow this command before its reply" },

  // transaction
  senderOk: { code: 250, status: "2.1.0", text: "Sender ok" },
  recipientOk: { code: 250, status: "2.1.5", text: "Recipient ok" },
  startBody: { code: 354, text: "End data with <CR><LF>.<CR><LF>" },
  needsSmtputf8Sender: { code: 553, status: "5.6.7", text: "Address needs SMTPUTF8" },
  needsSmtputf8Recipient: { code: 553, status: "5.6.7", text: "Address needs SMTPUTF8" },
  relayDenied: { code: 550, status: "5.7.1", text: "Relaying denied" },
  unknownRecipient: { code: 550, status: "5.1.1", text: "No such recipient here" },
  twoRoutes: { code: 451, status: "4.3.5", text: "Recipient is routed twice" },
  nextTransaction: { code: 452, status: "4.5.3", text: "Send this recipient in the next transaction" },
  tooManyRecipients: { code: 452, status: "4.5.3", text: "Too many recipients" },
  tooManyTransactions: { code: 421, status: "4.7.0", text: "Too many transactions" },
  tooBig: { code: 552, status: "5.3.4", text: "Message too big" },
  headerTooBig: { code: 552, status: "5.3.4", text: "Message header too big" },
  bareLineEnd: { code: 550, status: "5.6.11", text: "Bare CR or LF in the message" },
  tooManyHops: { code: 554, status: "5.4.6", text: "Too many hops" },
  noStorage: { code: 452, status: "4.3.1", text: "Insufficient system storage" },
  unstaged: { code: 451, status: "4.3.5", text: "Nobody took the message" },

  // AUTH, RFC 4954
  authenticated: { code: 235, status: "2.7.0", text: "Authentication succeeded" },
  badCredentials: { code: 535, status: "5.7.8", text: "Authentication credentials invalid" },
  authCancelled: { code: 501, status: "5.7.0", text: "Authentication cancelled" },
  badBase64: { code: 501, status: "5.5.2", text: "Not base64" },
  unknownMechanism: { code: 504, status: "5.5.4", text: "Mechanism not recognized" },
  alreadyAuthenticated: { code: 503, status: "5.5.1", text: "Already authenticated" },
  authNeedsTls: { code: 538, status: "5.7.11", text: "Encryption required for that mechanism" },
  authLineTooLong: { code: 500, status: "5.5.6", text: "Authentication exchange line too long" },
  tooManyGuesses: { code: 421, status: "4.7.0", text: "Too many failed authentications" },
} as const satisfies Record<string, Reply>;

// Plugins answer with them too
for (const reply of Object.values(replies)) Object.freeze(reply);
