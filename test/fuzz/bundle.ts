import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { type Plugin, build as bundle, transform } from "esbuild";
import { createInstrumenter } from "istanbul-lib-instrument";

const root = join(import.meta.dirname, "../..");

/** What is counted: everything a client's octets pass through. */
const counted = /[\\/]core[\\/]src[\\/](?:protocol|message|session|host)[\\/][^\\/]+\.ts$/;

/** Puts counters into core. Each of its files then has them under its name in `globalThis.counters`. */
const counters: Plugin = {
  name: "counters",
  setup(build) {
    const instrumenter = createInstrumenter({
      coverageVariable: "counters",
      esModules: true,
      compact: false,
      coverageGlobalScopeFunc: false,
      coverageGlobalScope: "globalThis",
    });
    build.onLoad({ filter: counted }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "ts", target: "node20" });
      return { contents: instrumenter.instrumentSync(code, relative(root, path)), loader: "js" };
    });
    // This repository's packages go in, all others stay where they are
    build.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === "entry-point" || path.startsWith("@mailhost/") ? undefined : { path, external: true },
    );
  },
};

/** One of this folder's programs with all it imports and core's counters, in a file of its own. */
export async function bundled(program: string): Promise<{ file: string; remove: () => void }> {
  // Below the repository, so that packages are found
  const folder = join(root, "node_modules/.cache/mailhost-fuzz", `${process.pid}-${Date.now()}`);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "program.mjs");
  await bundle({
    entryPoints: [join(import.meta.dirname, program)],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@mailhost/source"],
    sourcemap: "inline",
    logLevel: "error",
    plugins: [counters],
  });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
