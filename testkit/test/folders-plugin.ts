import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Delivery, type Staged, definePlugin } from "@mailhost/core";

/** A small store that does what a transport must: `tmp` until the commit, `new` from there on. */
export const folders = definePlugin<{ folder: string }>({
  name: "folders",
  version: "1.0.0",
  core: "^1.0.0",
  async apply(host, { folder }) {
    for (const name of ["tmp", "new"]) await mkdir(join(folder, name), { recursive: true });
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.rcpt.tap("folders", (recipient) => {
      recipient.permit("local");
      recipient.routeTo({ transport: host.name });
    });
    host.hooks.queue.for(host.name).tapPromise("folders", async (delivery) => {
      delivery.stage(await write(folder, delivery));
    });
  },
});

async function write(folder: string, { id, message }: Delivery): Promise<Staged> {
  const [hidden, shown] = [join(folder, "tmp", id), join(folder, "new", id)];
  const file = await open(hidden, "wx");
  try {
    for await (const piece of message.open()) await file.write(piece);
    await file.sync();
  } catch (error) {
    await rm(hidden);
    throw error;
  } finally {
    await file.close();
  }
  return {
    async commit() {
      try {
        await rename(hidden, shown);
        await syncFolder(join(folder, "new"));
      } catch (error) {
        await rm(hidden, { force: true });
        await rm(shown, { force: true });
        throw error;
      }
    },
    abort: () => rm(hidden),
  };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The same store with a mistake: it is visible before it is committed. */
export const early = definePlugin<{ folder: string }>({
  ...folders.definition,
  name: "early",
  apply(host, { folder }) {
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.rcpt.tap("early", (recipient) => {
      recipient.permit("local");
      recipient.routeTo({ transport: host.name });
    });
    host.hooks.queue.for(host.name).tapPromise("early", async (delivery) => {
      for (const name of ["tmp", "new"]) await mkdir(join(folder, name), { recursive: true });
      const staged = await write(folder, delivery);
      await staged.commit();
      delivery.stage({ commit: () => {}, abort: async () => void (await readdir(folder)) });
    });
  },
});
