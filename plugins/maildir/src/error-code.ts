/**
 * `ENOENT` and its like: the code of an error of Node, "" when it has none. As core's, whose loading would take the journal's
 * thread a tenth of a second and seven megabytes.
 */
export const errorCode = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";
