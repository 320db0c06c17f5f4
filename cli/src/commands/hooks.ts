import { table } from "../report.ts";
import { prepared } from "./prepared.ts";

/** `mailhost hooks`: per listener and hook, the taps in order and why. */
export async function hooks(flags: { config?: string; json?: true }): Promise<void> {
  const { server } = await prepared(flags);
  const listeners = server.generations.map(({ listener: { name, mode }, taps }) => ({ listener: name, mode, taps }));
  if (flags.json === true) console.log(JSON.stringify(listeners, undefined, 2));
  else
    for (const { listener, mode, taps } of listeners) {
      console.log(`listener ${listener} (${mode})`);
      for (const hook of new Set(taps.map((tap) => tap.hook))) {
        console.log(`  ${hook}`);
        const rows = taps
          .filter((tap) => tap.hook === hook)
          .map((tap, at) => [
            `    ${at + 1}.`,
            tap.tap === tap.plugin ? tap.plugin : `${tap.plugin}: ${tap.tap}`,
            tap.version,
            tap.kind,
            tap.why,
            tap.onFailure === "defer" ? "" : `failure: ${tap.onFailure}`,
          ]);
        console.log(table(rows));
      }
    }
  await server.close();
}
