import { describe, expect, test } from "vitest";
import { TestClock, TestResolver } from "../src/index.ts";

describe("a test resolver", () => {
  test("knows what it was told, by name and type, whatever the case", async () => {
    const resolver = new TestResolver({
      "Example.com": {
        a: ["192.0.2.1"],
        aaaa: ["2001:db8::1"],
        mx: [{ exchange: "mx.example.com", priority: 10 }],
        txt: ["v=spf1 -all", ["cut", "in two"]],
      },
      "192.0.2.1": { ptr: ["example.com"] },
    });
    expect(await resolver.resolve4("example.COM.")).toEqual(["192.0.2.1"]);
    expect(await resolver.resolve6("example.com")).toEqual(["2001:db8::1"]);
    expect(await resolver.resolveMx("example.com")).toEqual([{ exchange: "mx.example.com", priority: 10 }]);
    expect(await resolver.resolveTxt("example.com")).toEqual([["v=spf1 -all"], ["cut", "in two"]]);
    expect(await resolver.reverse("192.0.2.1")).toEqual(["example.com"]);
    expect(resolver.queries.map(({ type }) => type)).toEqual(["a", "aaaa", "mx", "txt", "ptr"]);
  });

  test("rejects as node:dns does", async () => {
    const resolver = new TestResolver({ "example.com": { a: ["192.0.2.1"] } });
    await expect(resolver.resolve4("nowhere.test")).rejects.toMatchObject({
      code: "ENOTFOUND",
      syscall: "queryA",
      hostname: "nowhere.test",
      message: "queryA ENOTFOUND nowhere.test",
    });
    await expect(resolver.resolveMx("example.com")).rejects.toMatchObject({ code: "ENODATA", syscall: "queryMx" });
    resolver.fail("example.com", "ESERVFAIL");
    await expect(resolver.resolve4("example.com")).rejects.toMatchObject({ code: "ESERVFAIL" });
    resolver.set("example.com", { mx: [] });
    expect(await resolver.resolve4("example.com")).toEqual(["192.0.2.1"]);
    expect(await resolver.resolveMx("example.com")).toEqual([]);
  });

  test("answers late, on its clock", async () => {
    const clock = new TestClock();
    const resolver = new TestResolver({ "slow.test": { a: [] } }, clock).delay("slow.test", 5000);
    let answered = false;
    const answer = resolver.resolve4("slow.test").then(() => (answered = true));
    clock.advance(4999);
    await Promise.resolve();
    expect(answered).toBe(false);
    clock.advance(1);
    await answer;
    await expect(new TestResolver().delay("slow.test", 1).resolve4("slow.test")).rejects.toThrow("needs a clock");
  });
});
