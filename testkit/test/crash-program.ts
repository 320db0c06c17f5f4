import { crashing } from "../src/index.ts";
import { folders } from "./folders-plugin.ts";

await crashing((folder) => [folders({ folder })]);
