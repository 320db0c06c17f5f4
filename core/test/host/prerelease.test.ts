import { coreVersion, definePlugin } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { expect, test, vi } from "vitest";
import { problemsOf } from "../support/problems.ts";

// A core that is a release candidate
vi.mock("../../src/host/version.ts", () => ({ coreVersion: "1.1.0-rc.1" }));

const wanting = (core: string) => definePlugin({ name: "one", version: "1.0.0", core, apply: () => {} })();

test("a release candidate runs what was written for the releases before, and for itself", async () => {
  expect(coreVersion).toBe("1.1.0-rc.1");
  for (const core of ["^1.0.0", "^1.1.0-rc.1", "*"])
    expect(await problemsOf({ plugins: [sink(), wanting(core)] })).toEqual([]);
});

test("it is not yet the release that a plugin asks for, and says so", async () => {
  expect(await problemsOf({ plugins: [sink(), wanting("^1.1.0")] })).toMatchObject([
    {
      code: "CORE_VERSION",
      what: "plugin one 1.0.0 wants @mailhost/core ^1.1.0, have 1.1.0-rc.1, which comes before 1.1.0",
    },
  ]);
});
