// The command as it is installed: from dist, by plain Node. Needs `npm run build`.
import { main } from "../../cli/dist/main.js";

await main(process.argv);
