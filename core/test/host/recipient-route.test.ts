import { type Plugin, type Route, definePlugin } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { expect, test } from "vitest";

/** Says what it sees as the route of each recipient, in stage last. */
const looker = (seen: (Route | undefined)[]): Plugin =>
  definePlugin({
    name: "looker",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.hooks.rcpt.tap({ name: "look", stage: "last" }, ({ route }) => void seen.push(route));
    },
  })();

const permitting = definePlugin<{ to?: string }>({
  name: "permitting",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host, { to }) {
    host.hooks.rcpt.tap("permit", (recipient) => {
      recipient.permit("local");
      expect(recipient.route).toEqual(undefined);
      if (to !== undefined) recipient.routeTo({ transport: to, nexthop: "there" });
    });
  },
});

const dialogue = (reply: string): string => `
  S: 220 *
  C: HELO client.test
  S: 250 *
  C: MAIL FROM:<>
  S: 250 *
  C: RCPT TO:<jane@example.com>
  S: ${reply}
`;

test("a later tap sees the route an earlier one named", async () => {
  const seen: (Route | undefined)[] = [];
  await transcript(
    { plugins: [looker(seen), sink({ everything: false }), permitting({ to: "sink" })] },
    dialogue("250 *"),
  );
  expect(seen).toEqual(Array.from({ length: 3 }, () => ({ transport: "sink", nexthop: "there" })));
});

test("a later tap sees the listener's default of a kind that is permitted", async () => {
  const seen: (Route | undefined)[] = [];
  const plugins = [sink({ everything: false }), looker(seen)];
  await transcript({ plugins, default: { local: "sink" } }, dialogue("550 5.7.1 *"));
  expect(seen).toEqual([undefined, undefined, undefined]);
});

test("a route is what it was when it was named, whatever its maker does with it later", async () => {
  const seen: (Route | undefined)[] = [];
  const fickle = definePlugin({
    name: "fickle",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      const route = { transport: "sink", nexthop: "there" };
      host.hooks.rcpt.tap("route", (recipient) => {
        recipient.permit("local");
        recipient.routeTo(route);
        route.nexthop = "elsewhere";
      });
    },
  })();
  await transcript({ plugins: [fickle, looker(seen), sink({ everything: false })] }, dialogue("250 *"));
  expect(seen[0]).toEqual({ transport: "sink", nexthop: "there" });
  expect(Object.isFrozen(seen[0])).toBe(true);
});
