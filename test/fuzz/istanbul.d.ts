// The library ships no types; this is the one call the fuzzer makes.
declare module "istanbul-lib-instrument" {
  export function createInstrumenter(options: {
    coverageVariable: string;
    esModules: boolean;
    compact: boolean;
    coverageGlobalScopeFunc: boolean;
    coverageGlobalScope: string;
  }): { instrumentSync(code: string, file: string, sourceMap?: object): string };
}
