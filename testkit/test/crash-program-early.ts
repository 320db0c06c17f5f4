import { crashing } from "../src/index.ts";
import { early } from "./folders-plugin.ts";

await crashing((folder) => [early({ folder })]);
