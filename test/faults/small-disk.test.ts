import { execFileSync } from "node:child_process";
import { rmSync, statSync, statfsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { emptyFolder } from "../support/dialogue.ts";
import type { SocketClient } from "../support/socket.ts";
import { subjectsIn } from "./house.ts";
import { type Letter, StoringServer, below, handIn } from "./storing-server.ts";

// A real tmpfs of a few MiB, or of a few inodes, mounted for the server alone: nothing is left behind when it ends.
// The disk fills under eight clients at once: 452, nothing torn, nothing left; with room again the same server goes on.

/** How a process gets mounts of its own: as root, or as root of a user namespace. */
const unshare = ["unshare", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]), "--mount"];

/** Whether this machine lets us mount. Under CI it has to. */
function cannotMount(): boolean {
  const [command, ...args] = [...unshare, "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return false;
  } catch (error) {
    if (process.env["CI"] !== undefined) throw error;
    return true;
  }
}

type Place = "small" | "wide";

/** A server with a small disk, and where it stands. */
interface House {
  readonly server: StoringServer;
  /** As the test sees them. */
  readonly small: string;
  readonly root: string;
  readonly spool: string;
}

/** `disk` are options of tmpfs. */
async function open(disk: string, { mail, spool }: { mail: Place; spool: Place }): Promise<House> {
  const folder = emptyFolder();
  const small = join(folder, "small");
  const paths = { root: join(folder, mail, "mail"), spool: join(folder, spool, "spool") };
  const script = 'mkdir "$2" && mount -t tmpfs -o "$1" tmpfs "$2" && mkdir -p "$3" "$4" && shift 4 && exec "$@"';
  const prefix = [...unshare, "sh", "-c", script, "sh", disk, small, paths.root, paths.spool];
  const server = await StoringServer.start({ prefix, ...paths, memory: 16 * 1024 });
  const [seen, root, spooled] = [small, paths.root, paths.spool].map((path) => server.sees(path));
  return { server, small: seen ?? "", root: root ?? "", spool: spooled ?? "" };
}

const full = "452 4.3.1 Insufficient system storage";

/** Lines of a message: one stays in memory, the others are spooled, the last two while they come in. */
const sizes = [10, 250, 4000, 9000];

/** One client hands in messages until it was told twice that the disk is full; the subjects of those that were taken. */
async function fill(client: SocketClient, name: string, letter: (at: number) => Omit<Letter, "subject">) {
  const taken: string[] = [];
  for (let at = 0, refused = 0; refused < 2; at += 1) {
    const subject = `${name}n${at}`;
    const reply = await handIn(client, { subject, ...letter(at) });
    if (reply.startsWith("250 ")) taken.push(subject);
    else {
      expect(reply).toBe(full);
      refused += 1;
    }
  }
  return taken;
}

async function eight(server: StoringServer): Promise<SocketClient[]> {
  const clients = await Promise.all(Array.from({ length: 8 }, () => server.greet()));
  return clients.filter((client) => client !== undefined);
}

/** Octets, and inodes, in use on the disk. */
const usedOctets = (folder: string): number => {
  const { blocks, bfree, bsize } = statfsSync(folder);
  return (blocks - bfree) * bsize;
};
const usedInodes = (folder: string): number => {
  const { files, ffree } = statfsSync(folder);
  return files - ffree;
};

const octetsOf = (paths: readonly string[]): number =>
  paths.reduce((sum, path) => sum + statSync(path).blocks * 512, 0);

/** Mailboxes' `new` folders: all files below the root, of which none may be elsewhere. */
function expectOnlyMail({ root, spool }: House): void {
  const elsewhere = [...below(root).filter((path) => !dirname(path).endsWith("/new")), ...below(spool)];
  expect(elsewhere.filter((path) => !path.endsWith("/maildirfolder"))).toEqual([]);
}

const subjects = (root: string, addresses: readonly string[]): string[] =>
  addresses.flatMap((address) => subjectsIn(join(root, ...address.split("@").toReversed(), "new"))).toSorted();

describe.skipIf(cannotMount())("a real disk of 6 MiB", { timeout: 120_000 }, () => {
  describe.each([
    { what: "mail and spool", mail: "small", spool: "small" },
    { what: "mail", mail: "small", spool: "wide" },
  ] as const)("holds $what", (places) => {
    test("and fills, three times: 452, nothing torn, no room lost, and 250 again once there is some", async () => {
      const house = await open("size=6m", places);
      const { server, root, small } = house;
      const clients = await eight(server);
      expect(clients).toHaveLength(8);
      for (let round = 0; round < 3; round += 1) {
        const taken = await Promise.all(
          clients.map((client, at) =>
            fill(client, `r${round}c${at}`, (number) => ({
              to: [`box${at}@example.com`],
              lines: sizes[(at + number) % sizes.length] ?? 0,
            })),
          ),
        );
        expect(taken.flat().length, `messages taken in round ${round}`).toBeGreaterThan(8);
        const boxes = clients.map((_client, at) => `box${at}@example.com`);
        expect(subjects(root, boxes)).toEqual(taken.flat().toSorted());
        expectOnlyMail(house);
        // A spool file is closed behind the reply
        await expect.poll(() => usedOctets(small)).toBe(octetsOf(below(small)));
        for (const path of below(root)) rmSync(path);
        expect(usedOctets(small)).toBe(0);
      }
      const newcomer = await server.greet();
      for (const client of [...clients, newcomer]) {
        const letter = { subject: "after", to: ["jane@example.com"], lines: 4000 };
        expect(client && (await handIn(client, letter))).toMatch(/^250 /);
      }
      expect(subjects(root, ["jane@example.com"])).toEqual(Array.from({ length: 9 }, () => "after"));
      expect(server.stands).toBe(true);
    });
  });

  test("holds the spool alone: what fits into memory is taken while longer messages are not", async () => {
    const house = await open("size=6m", { mail: "wide", spool: "small" });
    const { server, root, small } = house;
    const [gone, ...held] = await eight(server);
    const [one, other] = [await server.greet(), await server.greet()];
    if (gone === undefined || one === undefined || other === undefined) throw new Error("nobody is there");
    // Eight bodies of a MiB that do not end yet
    const begun = [gone, ...held];
    for (const client of begun) {
      for (const command of ["MAIL FROM:<>", "RCPT TO:<held@example.com>", "DATA"]) await client.ask(command);
      client.send(`${"x".repeat(78)}\r\n`.repeat(13_000));
    }
    await expect.poll(() => usedOctets(small)).toBe(6 * 1024 * 1024);
    expect(await handIn(one, { subject: "long", to: ["jane@example.com"], lines: 4000 })).toBe(full);
    expect(await handIn(one, { subject: "short", to: ["jane@example.com"], lines: 10 })).toMatch(/^250 /);
    // They end: by a disconnect, or with their dot
    gone.socket.destroy();
    const replies = await Promise.all(held.map((client) => client.ask(".")));
    expect(replies).toContain(full);
    expect(replies.filter((reply) => reply !== full && !reply.startsWith("250 "))).toEqual([]);
    await expect.poll(() => usedOctets(small)).toBe(0);
    for (const client of [one, other, ...held])
      expect(await handIn(client, { subject: "after", to: ["jane@example.com"], lines: 9000 })).toMatch(/^250 /);
    expect(subjects(root, ["jane@example.com"])).toEqual([...held, "", ""].map(() => "after").concat("short"));
    expectOnlyMail(house);
    expect(server.stands).toBe(true);
  });

  test("is filled by somebody else, and emptied", async () => {
    const house = await open("size=6m", { mail: "small", spool: "small" });
    const client = await house.server.greet();
    if (client === undefined) throw new Error("nobody is there");
    const letters = sizes.map((lines, at) => ({ subject: `s${at}`, to: ["jane@example.com"], lines }));
    const rubbish = join(house.small, "rubbish");
    expect(() => writeFileSync(rubbish, new Uint8Array(7 * 1024 * 1024))).toThrow("ENOSPC");
    for (const letter of letters) expect(await handIn(client, letter)).toBe(full);
    // Folders cost no octets on a tmpfs: what was made for the refused is gone all the same
    expect(below(house.root, { folders: true })).toEqual([]);
    rmSync(rubbish);
    for (const letter of letters) expect(await handIn(client, letter)).toMatch(/^250 /);
    expect(subjects(house.root, ["jane@example.com"])).toEqual(["s0", "s1", "s2", "s3"]);
  });
});

describe.skipIf(cannotMount())("a real disk of 120 inodes", { timeout: 120_000 }, () => {
  test("runs out of them: 452, not even a folder is left of what was refused, and 250 again", async () => {
    const house = await open("size=64m,nr_inodes=120", { mail: "small", spool: "small" });
    const { server, root, small } = house;
    const clients = await eight(server);
    const addresses = (at: number, number: number): string[] => [
      `box${at}n${number}@example.com`,
      `box${at}n${number}@host${at}n${number}.example`,
    ];
    for (let round = 0; round < 3; round += 1) {
      const taken = await Promise.all(
        clients.map((client, at) =>
          fill(client, `c${at}`, (number) => ({ to: addresses(at, number), lines: sizes[number % 3] ?? 0 })),
        ),
      );
      expect(taken.flat().length).toBeGreaterThan(3);
      // Of two copies none without the other
      for (const [at, mine] of taken.entries())
        for (const subject of mine) {
          const number = Number(subject.split("n")[1]);
          expect(subjects(root, addresses(at, number))).toEqual([subject, subject]);
        }
      expect(below(root)).toHaveLength(taken.flat().length * 2);
      expectOnlyMail(house);
      const mailboxes = below(root).map((path) => dirname(dirname(path)));
      const around = [...new Set(mailboxes.flatMap((box) => [box, dirname(box)]))];
      const folders = [...new Set(mailboxes)].flatMap((box) => ["cur", "new", "tmp"].map((name) => join(box, name)));
      expect(below(root, { folders: true }).toSorted()).toEqual([...below(root), ...around, ...folders].toSorted());
      await expect.poll(() => usedInodes(small)).toBe(below(small, { folders: true }).length + 1);
      for (const domain of new Set(mailboxes.map(dirname))) rmSync(domain, { recursive: true });
    }
    for (const client of [...clients, await server.greet()])
      expect(client && (await handIn(client, { subject: "after", to: ["jane@example.com"], lines: 250 }))).toMatch(
        /^250 /,
      );
    expect(server.stands).toBe(true);
  });
});
