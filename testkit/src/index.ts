export { Client, client, type ClientOptions } from "./client.ts";
export { transcript, TranscriptError, type TranscriptOptions, type Way } from "./transcript.ts";
export { readScript, inGroups, type ScriptLine } from "./script.ts";
export { sink, type SinkOptions, type SunkMessage } from "./sink.ts";
export { TestClock } from "./clock.ts";
export { MemoryWire } from "./wire.ts";
