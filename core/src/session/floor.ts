import type { Upgrade } from "../protocol/machine.ts";
import type { Reply } from "../protocol/reply.ts";

/** What a conversation asks of the engine that reads and writes for it. */
export interface Floor {
  send(reply: Reply): void;
  /** Replies so far leave now. */
  flush(): void;
  /** Octets the client sent and nobody has read. */
  readonly pending: number;
  /** Somebody who had to wait is done: read on. */
  resume(): void;
  upgrade(upgrade: Upgrade): void;
  hangUp(reason: string): void;
}
