import type { Ground } from "../contract/ground.ts";
import type { Finding } from "../contract/report.ts";
import { type TransportCheck, accepted, durable, isNotThere, isThere, sameFiles } from "./check.ts";
import { Disk } from "./disk.ts";
import { type Marked, type Station, marked } from "./station.ts";

const comeAgain =
  "Let the error of the disk out of the tap or of commit, or answer storageReply(error): the client comes again.";

export const fullDisk: TransportCheck = {
  name: "full disk",
  mend: comeAgain,
  faultsAreMeant: true,
  async run(station) {
    const ground = await station.ground();
    const findings = [...accepted(await station.send(ground, marked()), "a message before the disk was full")];
    const before = await station.files();
    const full = station.options.full ?? fullForThePlugin;
    const mend = await full(station.folder);
    const message = marked();
    let reply = "";
    try {
      reply = await station.send(ground, message);
    } finally {
      await mend();
    }
    if (reply.startsWith("250")) findings.push(...(await isThere(station, message, "a message on a full disk")));
    else findings.push(...(await refusedWell(station, message, reply, before)));
    const next = marked();
    findings.push(...accepted(await station.send(ground, next), "the message when there is room again", comeAgain));
    return [...findings, ...(await isThere(station, next, "the message when there is room again"))];
  },
};

async function refusedWell(
  station: Station,
  message: Marked,
  reply: string,
  before: readonly string[],
): Promise<Finding[]> {
  const what = "a message on a full disk";
  const findings = [...(await isNotThere(station, message, what)), ...(await sameFiles(station, before, what))];
  if (!reply.startsWith("4")) findings.push({ what: `${what} is answered: ${reply}`, mend: comeAgain });
  return findings;
}

async function fullForThePlugin(): Promise<() => void> {
  const disk = await Disk.watch();
  disk.fails = () => true;
  return () => disk.release();
}

/** More operations than one small message needs. */
const mostOperations = 60;

export const failingDisk: TransportCheck = {
  name: "failing disk",
  mend: comeAgain,
  faultsAreMeant: true,
  async run(station) {
    const ground = await station.ground();
    const findings = [...accepted(await station.send(ground, marked()), "a message before anything failed")];
    const disk = await Disk.watch();
    try {
      for (let failing = 1; failing <= mostOperations; failing += 1) {
        disk.operations = 0;
        disk.fails = (operation) => operation === failing;
        findings.push(...(await oneFails(station, ground, failing)));
        if (disk.operations < failing) break; // nothing was left to fail
      }
    } finally {
      disk.release();
    }
    const next = marked();
    findings.push(...accepted(await station.send(ground, next), "the message behind all that failed", comeAgain));
    return [...findings, ...(await isThere(station, next, "the message behind all that failed"))];
  },
};

/** One operation of a delivery fails: it is refused for now and not to be seen, or delivered all the same. */
async function oneFails(station: Station, ground: Ground, failing: number): Promise<Finding[]> {
  const before = await station.files();
  const message = marked();
  const reply = await station.send(ground, message);
  const what = `a message whose disk operation ${failing} failed`;
  if (reply.startsWith("250")) return [...(await isThere(station, message, what))];
  if (!reply.startsWith("4")) return [{ what: `${what} is answered: ${reply}`, mend: comeAgain }];
  const { copies, torn } = await station.found(message);
  if (torn > 0) return [{ what: `${what} is visible, and not whole`, mend: durable }];
  // Behind the first commit a copy may stay: rather twice than never
  return copies > 0 ? [] : [...(await sameFiles(station, before, what))];
}
