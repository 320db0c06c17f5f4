import { isEverybody, makeNetworks, networkProblem } from "@mailhost/core";
import { expect, test } from "vitest";

test.each([
  "0.0.0.0/0",
  "128.0.0.0/1",
  "10.0.0.0/7",
  "::/0",
  "2000::/3",
  "::/16",
  "::/64",
  "::ffff:0:0/96",
  "::ffff:0.0.0.0/103",
])("%s is everybody", (entry) => expect(isEverybody(entry)).toBe(true));

test.each(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1/128", "::1", "fd00::/16", "::ffff:192.0.2.0/120"])(
  "%s is somebody",
  (entry) => {
    expect(isEverybody(entry)).toBe(false);
    expect(networkProblem(entry)).toBeUndefined();
    expect(() => makeNetworks([entry])).not.toThrow();
  },
);

test.each([
  "",
  "example.com",
  "192.0.2.0/33",
  "192.0.2.0/24/8",
  "192.0.2",
  "fe80::1%eth0",
  "2001:db8::/129",
  "192.0.2.0/-1",
])("%j is no network", (entry) => expect(networkProblem(entry)).toBeTypeOf("string"));
