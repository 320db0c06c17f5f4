import { table } from "../report.ts";
import { prepared } from "./prepared.ts";

/** `mailhost plugins`: what is in force on each listener. */
export async function plugins(flags: { config?: string; json?: true }): Promise<void> {
  const { server } = await prepared(flags);
  const listeners = server.generations.map((generation) => ({
    listener: generation.listener.name,
    plugins: generation.plugins,
  }));
  if (flags.json === true) console.log(JSON.stringify(listeners, undefined, 2));
  else
    for (const { listener, plugins: some } of listeners) {
      console.log(`listener ${listener}`);
      const rows = some.map(({ name, package: of, version, core, provides }) => [
        `  ${name}`,
        of === name ? "" : `(${of})`,
        version,
        `core ${core}`,
        provides.join(", "),
      ]);
      console.log(table(rows));
    }
  await server.close();
}
