// Goes wrong in every hook and as a transport, in every way there is, one after the other; in between it does as it should.
// Beside `faults.json`, which it writes when it is closed, it notes in `taken` what its transport committed.
import { appendFileSync, writeFileSync } from "node:fs";
import { definePlugin } from "@mailhost/core";

const oops = () => new Error("oops");
const throwing = (what) => {
  throw what;
};
const never = new Promise(() => {});
const handMade = { reply: { code: 250, text: "yes" }, close: false };
const explosive = Object.defineProperty({}, "reply", { get: () => throwing(oops()) });
const later = (milliseconds, work) => void setTimeout(() => work(), milliseconds);
const wait = (milliseconds) => new Promise((resolve) => later(milliseconds, resolve));

/** What a sync tap may do. */
const sync = {
  throws: () => throwing(oops()),
  "throws nothing": () => throwing(undefined),
  "gives a promise that rejects": () => Promise.reject(oops()),
  "gives a number": () => 250,
  "gives a yes of its own": () => handMade,
  "gives what explodes": () => explosive,
};

/** What a tap with a callback may do. `deadline` is when nobody waits any more. */
const callback = {
  throws: () => throwing(oops()),
  "fails later": (done) => later(1, () => done(oops())),
  hangs: () => {},
  "answers twice": (done) => (done(), done()),
  "answers twice, later with an error": (done) => (done(), later(5, () => done(oops()))),
  "answers and throws": (done) => (done(), throwing(oops())),
  "answers too late": (done, deadline) => later(deadline + 50, () => done()),
  "gives a number": (done) => done(null, 250),
};

/** What a tap with a promise may do. */
const promise = {
  throws: () => throwing(oops()),
  "rejects later": async () => {
    await wait(1);
    throw oops();
  },
  "rejects with nothing": () => Promise.reject(),
  hangs: () => never,
  "settles too late": (deadline) => wait(deadline + 50),
  "rejects too late": async (deadline) => {
    await wait(deadline + 50);
    throw oops();
  },
  "gives a yes of its own": async () => handMade,
};

/** What a transport may do instead of staging properly. */
const staging = {
  "stages nothing": () => {},
  "stages twice": (stage) => (stage(), stage()),
  "stages and throws": (stage) => (stage(), throwing(oops())),
  "stages too late": (stage, deadline) => wait(deadline + 50).then(stage),
  "stages what cannot be committed": (stage) => stage({ commit: () => throwing(oops()) }),
  "stages what is not committed": (stage) => stage({ commit: () => Promise.reject(oops()) }),
  "stages what commits to a yes of its own": (stage) => stage({ commit: () => handMade }),
  "stages what cannot be aborted, and throws": (stage) => (stage({ abort: () => throwing(oops()) }), throwing(oops())),
  "stages rubbish": (_stage, _deadline, delivery) => delivery.stage({ commit: 7 }),
};

/** Chances of a fault, one in so many: more of them where one is asked less. */
const oneIn = (place) => (place.endsWith("transport") ? 3 : place.startsWith("auth") ? 7 : 14);
/** Places of faults, by their names: each hook has three taps, and there is a transport. */
const places = 6 * 3 + 1;
const counts = {};
function next(place, ways) {
  // Not in step with the clients: places would have faults in turn
  if (Math.random() * oneIn(place) >= 1) return undefined;
  const its = (counts[place] ??= Object.fromEntries(Object.keys(ways).map((way) => [way, 0])));
  const [way] = Object.entries(its).toSorted(([, one], [, other]) => one - other)[0];
  its[way] += 1;
  const all = Object.values(counts);
  if (all.length === places && all.every((one) => Object.values(one).every((count) => count > 0)))
    writeFileSync("all", ""); // every fault was had
  return ways[way];
}

export default definePlugin({
  name: "wayward",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host, { deadline }) {
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    const { connect, ehlo, auth, rcpt, data, queue } = host.hooks;
    rcpt.tap("route", (recipient) => {
      if (recipient.address.localPart === "wild") recipient.routeTo({ transport: host.name });
    });
    const hooks = { connect, ehlo, auth, rcpt, data, queue: queue.for("maildir") };
    for (const [name, hook] of Object.entries(hooks)) {
      hook.tap("sync", () => next(`${name} sync`, sync)?.());
      hook.tapAsync({ name: "callback", deadline }, (...args) => {
        const done = args.at(-1);
        const way = next(`${name} callback`, callback);
        if (way === undefined) done();
        else way(done, deadline);
      });
      hook.tapPromise({ name: "promise", deadline }, async () => next(`${name} promise`, promise)?.(deadline));
    }
    queue.for(host.name).tapPromise({ name: "store", deadline }, (delivery) => store(delivery, deadline));
    host.onClose(() => writeFileSync("faults.json", JSON.stringify(counts)));
  },
});

async function store(delivery, deadline) {
  const { raw } = delivery.message.fields.find(({ name }) => name === "Message-ID");
  const id = Buffer.from(raw).toString().slice("Message-ID: ".length).trim();
  const commit = () => appendFileSync("taken", `${id}\n`);
  const stage = (more) => delivery.stage({ commit, abort() {}, ...more });
  const way = next("queue as transport", staging);
  if (way === undefined) stage();
  else await way(stage, deadline, delivery);
}
