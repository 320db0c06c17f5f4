/** `ENOENT` and its like: the code of an error of Node, "" when it has none. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";
