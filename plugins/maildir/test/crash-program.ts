import { crashing } from "@mailhost/testkit";
import { maildir } from "../src/index.ts";
import { everybody } from "./everybody.ts";

// Run and killed by contract.test.ts.
await crashing((folder) => [everybody(), maildir({ root: folder })]);
