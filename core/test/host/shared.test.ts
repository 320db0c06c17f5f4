import { type Host, mailhost } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { SharedValues } from "../../src/host/shared.ts";
import { hold, plugin, recorder, turn } from "../support/dialogue.ts";

describe("a shared value", () => {
  test("is opened by the first and closed with the last", async () => {
    const diary: string[] = [];
    const shared = new SharedValues();
    const take = () =>
      shared.take(
        "journal",
        () => (diary.push("open"), 7),
        (value) => void diary.push(`close ${value}`),
      );
    const [one, two] = await Promise.all([take(), take()]);
    expect([one.value, two.value]).toEqual([7, 7]);
    await one.give();
    expect(diary).toEqual(["open"]);
    await two.give();
    expect(diary).toEqual(["open", "close 7"]);
    await (await take()).give();
    expect(diary).toEqual(["open", "close 7", "open", "close 7"]);
  });

  test("that cannot be opened fails for all who asked, and may be tried again", async () => {
    const shared = new SharedValues();
    const bad = () => shared.take("journal", () => Promise.reject(new Error("locked")));
    const asked = await Promise.allSettled([bad(), bad()]);
    expect(asked.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const { value, give } = await shared.take("journal", () => "open");
    expect(value).toBe("open");
    await give();
  });

  test("is not opened again before the last owner has closed it", async () => {
    const diary: string[] = [];
    const shared = new SharedValues();
    const open = () => void diary.push("open");
    const close = async () => {
      diary.push("closing");
      await turn();
      diary.push("closed");
    };
    const { give } = await shared.take("journal", open, close);
    const given = give();
    const again = await shared.take("journal", open, close);
    await given;
    expect(diary).toEqual(["open", "closing", "closed", "open"]);
    await again.give();
  });

  test("whose close fails can be opened again", async () => {
    const shared = new SharedValues();
    const { give } = await shared.take(
      "journal",
      () => 1,
      () => Promise.reject(new Error("disk")),
    );
    await expect(give()).rejects.toThrow("disk");
    expect((await shared.take("journal", () => 2)).value).toBe(2);
  });
});

describe("across generations", () => {
  const counting = (diary: string[]) =>
    plugin("counting", async (host: Host) => {
      await host.shared(
        "journal",
        () => void diary.push("open"),
        () => void diary.push("close"),
      );
      host.onClose(() => void diary.push("generation over"));
    });

  test("listeners and generations have one, closed with the last of them", async () => {
    const diary: string[] = [];
    const options = {
      plugins: [sink(), counting(diary)],
      listeners: [{ port: 0 }, { port: 0, name: "two" }],
      log: recorder(),
    };
    const server = await mailhost(options).prepare();
    const { engine, hear } = hold(server);
    await hear(1);
    expect(diary).toEqual(["open"]);
    await server.reload({ ...options, listeners: [{ port: 0 }] });
    await turn();
    expect(diary).toEqual(["open", "generation over"]);
    engine.gone("done");
    await turn();
    expect(diary).toEqual(["open", "generation over", "generation over"]);
    await server.close();
    expect(diary).toEqual(["open", "generation over", "generation over", "generation over", "close"]);
  });

  test("an open session finishes on the generation it began with", async () => {
    const server = await mailhost({ name: "old.example", plugins: [sink()], log: recorder() }).prepare();
    const old = hold(server);
    expect(await old.hear(1)).toEqual(["220 old.example ESMTP"]);
    await server.reload({ name: "new.example", plugins: [sink()], log: recorder() });
    const young = hold(server);
    expect(await young.hear(1)).toEqual(["220 new.example ESMTP"]);
    old.say("HELO client.test");
    expect(await old.hear(1)).toEqual(["250 old.example"]);
    old.engine.gone("done");
    young.engine.gone("done");
    await server.close();
  });

  test("an error keeps the old generation, and closes what the new one opened", async () => {
    const diary: string[] = [];
    const server = await mailhost({ name: "old.example", plugins: [sink()], log: recorder() }).prepare();
    const bad = plugin("bad", () => {
      throw new Error("no");
    });
    await expect(server.reload({ plugins: [sink(), counting(diary), bad] })).rejects.toThrow("could not be set up");
    expect(diary).toEqual(["open", "generation over", "close"]);
    const held = hold(server);
    expect(await held.hear(1)).toEqual(["220 old.example ESMTP"]);
    held.engine.gone("done");
    await server.close();
  });
});
