// The server that kill-points.test.ts kills: takes one message, and stops before or after one of the calls that takes.
import { join } from "node:path";
import { FileCalls } from "./file-calls.ts";
import { House, scenarios } from "./house.ts";

const [folder = "", name = "", point = ""] = process.argv.slice(2);
const scenario = scenarios.find((one) => one.name === name);
if (scenario === undefined) throw new Error(`there is no scenario ${name}`);

const calls = new FileCalls(folder);
calls.durable = true;
const house = new House(folder, scenario, undefined, join(folder, "house"));
await house.open();
await calls.idle();
calls.restart();
const [when, at] = [point[0], Number(point.slice(1))];
const die = (): Promise<never> => {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
};
calls.meet = async (call) => {
  if (call.number !== at) return call.perform();
  if (when === "<") return die();
  await call.perform().catch(() => {}); // it may be there already
  return die();
};
const reply = await house.handIn("during");
process.stdout.write(`${reply.slice(0, 3)} `);
await calls.idle(); // what follows out of the journal may be what kills it
process.stdout.write(`${calls.made.length}\n`);
process.exit();
