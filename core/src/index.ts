// What programs and plugins import. The rooms behind it are core's own.

// Compose a server
export { Mailhost, mailhost, type DialogueOptions } from "./server/mailhost.ts";
export type { ListeningAddress } from "./server/listeners.ts";
export type { ListenerOptions, MailhostOptions } from "./server/settings.ts";
export type { Limits, Timeouts } from "./host/limits.ts";
export { defaultLimits, defaultTimeouts } from "./host/limits.ts";
export { ConfigurationError, nearest, type Problem, type ProblemCode } from "./host/problems.ts";
export type { FailingPlugin } from "./host/health.ts";
export type { Generation, PlannedPlugin, PlannedTap } from "./host/generation.ts";
export { coreVersion } from "./host/version.ts";

// Write a plugin
export { definePlugin, isPlugin, isPluginFactory } from "./host/plugin.ts";
export type {
  Host,
  ListenerInfo,
  OptionsCheck,
  Placement,
  Plugin,
  PluginDefinition,
  PluginFactory,
  SchemaResult,
  StandardSchema,
} from "./host/plugin.ts";
export { defer, disconnect, isRefusal, reject, rejectWith } from "./host/opinion.ts";
export type { DeferCode, Opinion, Refusal, RefusalCodes, RejectCode } from "./host/opinion.ts";
export type { PluginHooks, Stage, Tappable, TapOptions } from "./host/hooks.ts";
export type { OnFailure, TapCallback } from "./host/guard.ts";
export { soon, type Soon } from "./protocol/soon.ts";
export type {
  Extension,
  PermitDeclaration,
  Preamble,
  RouteDeclaration,
  TransportDeclaration,
} from "./host/extension.ts";
export { defineFact, type Fact } from "./host/facts.ts";
export type { Clock, Log, Resolver } from "./host/services.ts";
export { systemClock } from "./host/services.ts";
export { describeEdit, describeRoute, type Edit } from "./host/edit.ts";
export type { Fault } from "./host/onlookers.ts";
export type { HookName, LineFault, TapOutcome, TraceEvent, WatchOptions } from "./host/trace.ts";
export { isEverybody, makeNetworks, networkProblem, type Networks } from "./host/networks.ts";
export { tlsUpgrade, type TlsOptions } from "./server/upgrade.ts";

// What hooks are about
export type { Credentials } from "./host/credentials.ts";
export type { Delivery, Staged } from "./host/delivery.ts";
export type { MessageView } from "./host/message-view.ts";
export type { BodyTransform } from "./message/rewrite.ts";
export type { DefaultTransports, Recipient, Transport } from "./host/recipient.ts";
export { sameName, type OpenOptions, type StoredMessage } from "./message/message.ts";
export type { Field } from "./message/header.ts";
export { formatDate } from "./message/received.ts";
export { storageReply } from "./message/receiver.ts";
export { errorCode } from "./message/error-code.ts";
export { describe as describeError } from "./host/guard.ts";

// The language of SMTP
export { formatAddress, parseAddress, type Address } from "./protocol/address.ts";
export { canonicalDomain, canonicalLiteral } from "./protocol/domain.ts";
export { isPostmaster } from "./protocol/syntax.ts";
export { stuff, type BareLineEnds } from "./protocol/body.ts";
export { baseCommands, last, row, type Columns } from "./protocol/commands.ts";
export { nobody } from "./protocol/machine.ts";
export type {
  Ask,
  AssumedClient,
  Command,
  Context,
  Exchange,
  In,
  Judges,
  Mechanism,
  Outcome,
  Phase,
  Refused,
  Row,
  State,
  Step,
  Upgrade,
} from "./protocol/machine.ts";
export type { Parameters, ParameterSyntax, ParameterTable } from "./protocol/parameters.ts";
export { makeReply, quotable, replyLines, replyProblem, type Reply, type Status } from "./protocol/reply.ts";
export { printable } from "./protocol/printable.ts";
export { replies } from "./protocol/replies.ts";
export type {
  AcceptedRecipient,
  Client,
  ForwardPath,
  Greeting,
  Identity,
  ListenerMode,
  Route,
  SentCredentials,
  Session,
  TlsInfo,
  Transaction,
  TransportKind,
} from "./protocol/session.ts";
export { decodeBase64, encodeBase64 } from "./protocol/base64.ts";

// Run the engine on a wire of one's own
export type { Engine, Wire } from "./session/wire.ts";
export type { Peer } from "./session/connection.ts";
