import { type Plugin, defer, definePlugin, disconnect, reject } from "@mailhost/core";

/** Octets of a PROXY line that are read at most (as of its version 1). */
const proxyOctets = 107;

/** Whoever is thinking for some turns of the event loop. */
async function think(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const crlfs = /\r\n/g;

/** Everything a plugin may do to a dialogue, the bad things too: what it does depends on what it is shown. */
export const meddler = (): Plugin =>
  definePlugin({
    name: "meddler",
    version: "1.0.0",
    core: "^1.0.0",
    apply({ hooks }) {
      hooks.connect.tapPromise("meddler", async ({ client }) => {
        await think(1);
        if (client.address === "192.0.2.66") return reject("Not this one");
      });
      hooks.ehlo.tapPromise("meddler", async ({ name, extended }) => {
        if (name === "refused") return reject("Not this one");
        await think(extended ? 0 : 1);
      });
      hooks.auth.tapPromise("meddler", async ({ username }) => {
        if (username === "joe") return defer("Not this one");
        if (username === "bye") return disconnect("Not this one");
        await think(1);
      });
      hooks.rcpt.tapPromise("meddler", async ({ address: { localPart } }) => {
        if (localPart === "bye") return disconnect("Not this one");
        await think(localPart === "turtle" ? 7 : 0);
        if (localPart === "fails") throw new Error("it failed");
      });
      hooks.data.tapPromise("meddler", async (message) => {
        const asked = new Set(message.fields.map(({ name }) => name));
        if (asked.has("X-Fail")) throw new Error("it failed");
        if (asked.has("X-Add")) message.addField("X-Added", "yes");
        if (asked.has("X-Replace")) message.replaceField("X-Replace", "replaced");
        if (asked.has("X-Remove")) message.removeField("X-Remove");
        await think(asked.has("X-Think") ? 5 : 0);
        if (asked.has("X-Rewrite")) await message.rewriteBody((body) => doubled(body));
      });
      hooks.queue.for("sink").tapPromise("meddler", async ({ message }) => {
        await think(1);
        if (message.fields.some(({ name }) => name === "X-Full"))
          return defer("Not this one", { code: 452, status: "4.3.1" });
      });
    },
  })();

/** A body with its line ends doubled, in the pieces it came in. */
async function* doubled(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let whole = "";
  for await (const piece of body) whole += Buffer.from(piece).toString("latin1");
  for (const line of whole.replaceAll(crlfs, "\r\n\r\n").split(/(?<=\n)/)) yield Buffer.from(line, "latin1");
}

/** A PROXY line before the greeting, or none. `used` tells how long the last one was. */
export function proxy(): Plugin & { used: number } {
  const make = definePlugin({
    name: "proxy",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({
        preamble: {
          kind: "read",
          octets: proxyOctets,
          read(octets) {
            const text = Buffer.from(octets).toString("latin1");
            if (!text.startsWith("P")) return { used: (plugin.used = 0), client: {} };
            const line = /^P[^]*?\r\n/.exec(text)?.[0];
            if (line === undefined) return undefined;
            const address = /^PROXY TCP[46] ([\da-fA-F.:]+) /.exec(line)?.[1];
            if (address === undefined) return null;
            return { used: (plugin.used = line.length), client: { address, port: 1 } };
          },
        },
      });
    },
  });
  const plugin = Object.assign(make(), { used: 0 });
  return plugin;
}
