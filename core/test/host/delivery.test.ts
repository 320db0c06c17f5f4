import {
  type Delivery,
  type Host,
  type Opinion,
  type Plugin,
  type Staged,
  defer,
  disconnect,
  reject,
} from "@mailhost/core";
import { TestClock } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { type Dialogue, open, opened, plugin, recorder, turn } from "../support/dialogue.ts";

/** What happened, in order. */
type Diary = string[];

interface Way {
  readonly name: string;
  readonly phases?: "one" | "two";
  /** Instead of staging as one should. */
  readonly tap?: (delivery: Delivery, staged: Staged) => Promise<Opinion> | Opinion;
  readonly commit?: () => Promise<Opinion> | Opinion;
  readonly abort?: () => void;
}

/** A transport that writes down what it is asked to do. Recipients at `<name>.test` go to it. */
const transport = (diary: Diary, { name, phases = "two", tap, commit, abort }: Way): Plugin =>
  plugin(name, (host: Host) => {
    host.extend({ transports: [{ kind: "local", phases }] });
    host.hooks.rcpt.tap(name, (recipient) => {
      if (recipient.address.domain !== `${name}.test`) return;
      recipient.permit("local");
      const { localPart } = recipient.address;
      recipient.routeTo(localPart.startsWith("hop") ? { transport: name, nexthop: localPart } : { transport: name });
    });
    host.hooks.queue.for(name).tapPromise(name, async (delivery) => {
      const to = delivery.recipients.map(({ address }) => address.localPart).join("+");
      const staged: Staged = {
        commit: async () => {
          diary.push(`${name} commits ${to}`);
          return commit?.();
        },
        abort: () => {
          diary.push(`${name} aborts ${to}`);
          abort?.();
        },
      };
      if (tap !== undefined) return tap(delivery, staged);
      diary.push(`${name} stages ${to}`);
      delivery.stage(staged);
    });
  });

async function deliver(plugins: readonly Plugin[], recipients: readonly string[], more: object = {}) {
  const log = recorder();
  const held: Dialogue = await open({ plugins, log, ...more });
  held.say(...opened, ...recipients.map((to) => `RCPT TO:<${to}>`), "DATA");
  await held.hear(9 + recipients.length);
  held.say("Subject: x", "", "text", ".");
  const [reply = ""] = await held.hear(1);
  await turn();
  return { reply, log: log.lines, held };
}

const queued = /^250 2\.0\.0 Ok: queued as [0-9A-Z]+$/;

describe("two phases", () => {
  test("all stage, then all commit, then 250", async () => {
    const diary: Diary = [];
    const plugins = [transport(diary, { name: "a" }), transport(diary, { name: "b" })];
    const { reply } = await deliver(plugins, ["x@a.test", "y@b.test", "z@a.test"]);
    expect(reply).toMatch(queued);
    expect(diary).toEqual(["a stages x+z", "b stages y", "a commits x+z", "b commits y"]);
  });

  test("a refusal while staging aborts all and commits none", async () => {
    const diary: Diary = [];
    const plugins = [transport(diary, { name: "a" }), transport(diary, { name: "b", tap: () => reject("Full") })];
    const { reply } = await deliver(plugins, ["x@a.test", "y@b.test"]);
    expect(reply).toBe("550 5.7.1 Full");
    expect(diary).toEqual(["a stages x", "a aborts x"]);
  });

  test("what a tap staged before it refused is aborted", async () => {
    const diary: Diary = [];
    const tap: Way["tap"] = (delivery, staged) => (delivery.stage(staged), defer("Not now"));
    const { reply } = await deliver([transport(diary, { name: "a", tap })], ["x@a.test"]);
    expect(reply).toBe("451 4.7.1 Not now");
    expect(diary).toEqual(["a aborts x"]);
  });

  test("what a tap staged before it failed is aborted", async () => {
    const diary: Diary = [];
    const tap: Way["tap"] = (delivery, staged) => {
      delivery.stage(staged);
      throw new Error("oops");
    };
    const { reply } = await deliver([transport(diary, { name: "a", tap })], ["x@a.test"]);
    expect(reply).toBe("451 4.3.0 Temporary local problem");
    expect(diary).toEqual(["a aborts x"]);
  });

  test("a 4yz stands before a 5yz, then the order of RCPT", async () => {
    const no = (name: string, refusal: Opinion): Plugin => transport([], { name, tap: () => refusal });
    const a = no("a", reject("A"));
    const b = no("b", defer("B"));
    const c = no("c", defer("C"));
    const answer = async (...to: string[]) => (await deliver([a, b, c], to)).reply;
    expect(await answer("x@a.test", "x@b.test")).toBe("451 4.7.1 B");
    expect(await answer("x@a.test", "x@c.test", "x@b.test")).toBe("451 4.7.1 C");
    expect(await answer("x@a.test")).toBe("550 5.7.1 A");
  });

  test("nobody staged: 451, and the log says whose silence it was", async () => {
    const { reply, log } = await deliver([transport([], { name: "a", tap: () => {} })], ["x@a.test"]);
    expect(reply).toBe("451 4.3.5 Nobody took the message");
    expect(log).toEqual(["error: transport a did not stage the message"]);
  });

  test("nobody taps the queue of a transport: 451", async () => {
    const lone = plugin("lone", (host) => {
      host.extend({ transports: [{ kind: "local", phases: "two" }] });
      host.hooks.rcpt.tap("lone", (recipient) => {
        recipient.permit("local");
        recipient.routeTo({ transport: "lone" });
      });
    });
    expect((await deliver([lone], ["x@a.test"])).reply).toBe("451 4.3.5 Nobody took the message");
  });

  test("a copy may be staged in several parts", async () => {
    const diary: Diary = [];
    const tap: Way["tap"] = (delivery, staged) => (delivery.stage(staged), delivery.stage(staged));
    expect((await deliver([transport(diary, { name: "a", tap })], ["x@a.test"])).reply).toMatch(queued);
    expect(diary).toEqual(["a commits x", "a commits x"]);
  });

  test("only its owner stages a transport; what another stages is aborted", async () => {
    const diary: Diary = [];
    const intruder = plugin("intruder", ({ hooks }) =>
      hooks.queue.for("a").tap("intruder", (delivery) =>
        delivery.stage({
          commit: () => void diary.push("intruder commits"),
          abort: () => void diary.push("intruder aborts"),
        }),
      ),
    );
    const quiet = transport(diary, { name: "a", tap: () => {} });
    expect((await deliver([quiet, intruder], ["x@a.test"])).reply).toBe("451 4.3.5 Nobody took the message");
    expect(diary).toEqual(["intruder aborts"]);
    diary.length = 0;
    expect((await deliver([transport(diary, { name: "a" }), intruder], ["x@a.test"])).reply).toMatch(queued);
    expect(diary).toEqual(["a stages x", "intruder aborts", "a commits x"]);
  });

  test("another plugin may refuse at the queue of a transport", async () => {
    const diary: Diary = [];
    const judge = plugin("judge", ({ hooks }) => hooks.queue.for("a").tap("judge", () => reject("Not this one")));
    expect((await deliver([transport(diary, { name: "a" }), judge], ["x@a.test"])).reply).toBe(
      "550 5.7.1 Not this one",
    );
    expect(diary).toEqual(["a stages x", "a aborts x"]);
  });

  test("disconnect at the queue answers and commits nothing", async () => {
    const diary: Diary = [];
    const judge = plugin("judge", ({ hooks }) => hooks.queue.for("a").tap("judge", () => disconnect("Enough")));
    expect((await deliver([transport(diary, { name: "a" }), judge], ["x@a.test"])).reply).toBe("421 4.7.0 Enough");
    expect(diary).toEqual(["a stages x", "a aborts x"]);
  });

  test("a delivery tells what is delivered", async () => {
    const seen: unknown[] = [];
    const tap: Way["tap"] = async (delivery, staged) => {
      const { id, reversePath, transaction, recipients, message } = delivery;
      const text = Buffer.from(await message.bytes()).toString();
      seen.push(
        id === transaction.id,
        reversePath?.text,
        recipients.length,
        message.fields[0]?.name,
        text.endsWith("text\r\n"),
      );
      delivery.stage(staged);
    };
    expect((await deliver([transport([], { name: "a", tap })], ["x@a.test"])).reply).toMatch(queued);
    expect(seen).toEqual([true, "jane@example.com", 1, "Received", true]);
  });
});

describe("late", () => {
  test("a stage after its deadline is aborted at once", async () => {
    const diary: Diary = [];
    const clock = new TestClock();
    let late: (() => void) | undefined;
    const tap: Way["tap"] = (delivery, staged) =>
      new Promise((resolve) => {
        late = () => {
          delivery.stage(staged);
          resolve();
        };
      });
    const log = recorder();
    const { say, hear } = await open({
      plugins: [transport(diary, { name: "a", tap })],
      clock,
      log,
      timeouts: { delivery: 900 },
    });
    say(...opened, "RCPT TO:<x@a.test>", "DATA");
    await hear(10);
    say("text", ".");
    while (late === undefined) await turn();
    clock.advance(900);
    expect(await hear(1)).toEqual(["451 4.3.0 Temporary local problem"]);
    expect(diary).toEqual([]);
    late();
    await turn();
    expect(diary).toEqual(["a aborts x"]);
  });
});

describe("commit", () => {
  test.each<[string, Way["commit"], string]>([
    [
      "throws",
      () => {
        throw new Error("disk");
      },
      "451 4.3.0 Temporary local problem",
    ],
    ["rejects", () => Promise.reject(new Error("disk")), "451 4.3.0 Temporary local problem"],
    [
      "finds the disk full",
      () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" })),
      "452 4.3.1 Insufficient system storage",
    ],
    ["returns rubbish", () => 1 as unknown as undefined, "451 4.3.0 Temporary local problem"],
    ["refuses", () => reject("Over quota", { code: 552, status: "5.2.2" }), "552 5.2.2 Over quota"],
    ["defers", () => defer("Busy"), "451 4.7.1 Busy"],
  ])("that %s", async (_, commit, wanted) => {
    const { reply } = await deliver(
      [transport([], { name: "a", ...(commit === undefined ? {} : { commit }) })],
      ["x@a.test"],
    );
    expect(reply).toBe(wanted);
  });

  test("that fails after another made its copy visible is never a 5yz: rather twice than never", async () => {
    const diary: Diary = [];
    const plugins = [transport(diary, { name: "a" }), transport(diary, { name: "b", commit: () => reject("No") })];
    const { reply } = await deliver(plugins, ["x@a.test", "y@b.test"]);
    expect(reply).toBe("451 4.3.0 Temporary local problem");
    expect(diary).toEqual(["a stages x", "b stages y", "a commits x", "b commits y"]);
  });

  test("that all refuse is what they say", async () => {
    const no: Way["commit"] = () => reject("No");
    const plugins = [transport([], { name: "a", commit: no }), transport([], { name: "b", commit: no })];
    expect((await deliver(plugins, ["x@a.test", "y@b.test"])).reply).toBe("550 5.7.1 No");
  });

  test("that all refuse is a 4yz when one of them is: that copy may succeed later", async () => {
    const plugins = [
      transport([], { name: "a", commit: () => reject("No") }),
      transport([], { name: "b", commit: () => defer("Later") }),
    ];
    expect((await deliver(plugins, ["x@a.test", "y@b.test"])).reply).toBe("451 4.7.1 Later");
  });

  test("null is nothing", async () => {
    const { reply } = await deliver(
      [transport([], { name: "a", commit: () => null as unknown as undefined })],
      ["x@a.test"],
    );
    expect(reply).toMatch(queued);
  });

  test("of what is no staged copy fails", async () => {
    const tap: Way["tap"] = (delivery) => delivery.stage(undefined as unknown as Staged);
    const { reply, log } = await deliver([transport([], { name: "a", tap })], ["x@a.test"]);
    expect(reply).toBe("451 4.3.0 Temporary local problem");
    expect(log.join()).toContain("failed in commit");
  });
});

test("an abort that throws is logged, and the client gets the refusal", async () => {
  const diary: Diary = [];
  const abort = (): never => {
    throw new Error("disk");
  };
  const plugins = [transport(diary, { name: "a", abort }), transport(diary, { name: "b", tap: () => reject("No") })];
  const { reply, log } = await deliver(plugins, ["x@a.test", "y@b.test"]);
  expect(reply).toBe("550 5.7.1 No");
  expect(log).toEqual(["error: plugin a failed in abort: disk"]);
});

test("an abort that never ends is given up, and the client gets the refusal", async () => {
  const clock = new TestClock();
  const log = recorder();
  let aborted = false;
  const stuck = transport([], {
    name: "a",
    tap: (delivery, staged) => {
      const abort = (): Promise<void> => {
        aborted = true;
        return new Promise(() => {});
      };
      delivery.stage({ ...staged, abort });
      return reject("No");
    },
  });
  const { say, hear } = await open({ plugins: [stuck], clock, log });
  say(...opened, "RCPT TO:<x@a.test>", "DATA");
  await hear(10);
  say("text", ".");
  while (!aborted) await turn();
  clock.advance(30_000);
  expect(await hear(1)).toEqual(["550 5.7.1 No"]);
  expect(log.lines).toEqual(["error: plugin a failed in abort: not done within 30000 ms"]);
});

describe("one phase", () => {
  const one = (diary: Diary, name: string, commit?: Way["commit"]): Plugin =>
    transport(diary, { name, phases: "one", ...(commit === undefined ? {} : { commit }) });

  test("runs before the commits of the others", async () => {
    const diary: Diary = [];
    const { reply } = await deliver([transport(diary, { name: "a" }), one(diary, "b")], ["x@a.test", "y@b.test"]);
    expect(reply).toMatch(queued);
    expect(diary).toEqual(["a stages x", "b stages y", "b commits y", "a commits x"]);
  });

  test("that refuses aborts the others, and its reply stands", async () => {
    const diary: Diary = [];
    const plugins = [transport(diary, { name: "a" }), one(diary, "b", () => reject("Not you"))];
    const { reply } = await deliver(plugins, ["x@a.test", "y@b.test"]);
    expect(reply).toBe("550 5.7.1 Not you");
    expect(diary).toEqual(["a stages x", "b stages y", "b commits y", "a aborts x"]);
  });

  test("that went out makes a later failure a 451", async () => {
    const diary: Diary = [];
    const plugins = [transport(diary, { name: "a", commit: () => reject("No") }), one(diary, "b")];
    expect((await deliver(plugins, ["x@a.test", "y@b.test"])).reply).toBe("451 4.3.0 Temporary local problem");
  });

  test("a second call in one transaction is put off at RCPT", async () => {
    const { say, hear } = await open({ plugins: [one([], "a"), one([], "b"), transport([], { name: "c" })] });
    const to = ["hop1@a.test", "hop1@a.test", "hop2@a.test", "x@a.test", "x@b.test", "x@c.test"];
    say(...opened, ...to.map((one) => `RCPT TO:<${one}>`));
    expect((await hear(14)).slice(8).map((line) => line.slice(0, 3))).toEqual([
      "250",
      "250",
      "452",
      "452",
      "452",
      "250",
    ]);
  });

  test("one call serves all recipients of its nexthop", async () => {
    const diary: Diary = [];
    const { reply } = await deliver([one(diary, "a")], ["x@a.test", "y@a.test"]);
    expect(reply).toMatch(queued);
    expect(diary).toEqual(["a stages x+y", "a commits x+y"]);
  });

  test("of two staged parts the first that refuses ends it", async () => {
    const diary: Diary = [];
    const other: Staged = { commit: () => void diary.push("commits"), abort: () => void diary.push("aborts") };
    const tap: Way["tap"] = (delivery, staged) => (delivery.stage(staged), delivery.stage(other));
    const plugins = [transport(diary, { name: "a", phases: "one", tap, commit: () => defer("Later") })];
    expect((await deliver(plugins, ["x@a.test"])).reply).toBe("451 4.7.1 Later");
    expect(diary).toEqual(["a commits x", "aborts"]);
  });

  test("of two staged parts the second never bounces what the first delivered", async () => {
    const diary: Diary = [];
    const first: Staged = { commit: () => void diary.push("delivered"), abort: () => void diary.push("aborts") };
    const tap: Way["tap"] = (delivery, staged) => (delivery.stage(first), delivery.stage(staged));
    const plugins = [transport(diary, { name: "a", phases: "one", tap, commit: () => reject("No") })];
    expect((await deliver(plugins, ["x@a.test"])).reply).toBe("451 4.3.0 Temporary local problem");
    expect(diary).toEqual(["delivered", "a commits x"]);
  });
});

test("a dry run stages and aborts", async () => {
  const diary: Diary = [];
  const { say, hear } = await open({ plugins: [transport(diary, { name: "a" })] }, { dryRun: true });
  say(...opened, "RCPT TO:<x@a.test>", "DATA");
  await hear(10);
  say("text", ".");
  expect((await hear(1))[0]).toMatch(queued);
  expect(diary).toEqual(["a stages x", "a aborts x"]);
});
