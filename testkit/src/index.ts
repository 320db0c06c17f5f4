export { Client, client, type ClientOptions, type Letter, type SpeakerOptions } from "./client.ts";
export { host, TestHost, type HostOptions, type LogLine } from "./host.ts";
export { transcript, TranscriptError, type TranscriptOptions, type Way } from "./transcript.ts";
export { readScript, inGroups, type ScriptLine } from "./script.ts";
export { sink, type SinkOptions, type SunkMessage } from "./sink.ts";
export { TestClock } from "./clock.ts";
export { MemoryWire } from "./wire.ts";
export { TestResolver, type DnsFailure, type DnsQuery, type DnsRecords, type DnsType } from "./resolver.ts";
export {
  inbox,
  InboxTimeoutError,
  type AuthOptions,
  type Fault,
  type FaultPoint,
  type Filter,
  type Inbox,
  type InboxMessage,
  type InboxOptions,
  type KeyPair,
  type Match,
  type ScriptedFault,
  type TlsMode,
} from "./inbox.ts";
export { contract } from "./contract/contract.ts";
export type { CheckName } from "./contract/check.ts";
export type { ContractOptions, PluginMaker } from "./contract/options.ts";
export { ContractError, type ContractCheck, type ContractReport } from "./contract/report.ts";
export { crashing } from "./transport/crash.ts";
export { transportContract } from "./transport/contract.ts";
export type { TransportCheckName, TransportContractOptions, Visible } from "./transport/options.ts";
