/** Stands for what must never be seen. */
export const masked = "***";

const auth = /^(\s*auth(?:\s+[^\s]*)?)(\s.*)?$/is;

/**
 * A command line as watchers may see it: behind AUTH and its mechanism stands the initial response.
 * A line nobody understood is hidden as well once AUTH was said: it may be the answer to a 334 that never came.
 */
export function maskCommand(line: string, afterAuth: boolean, understood: boolean): { line: string; secret: boolean } {
  const matched = auth.exec(line);
  if (matched !== null)
    return matched[2] === undefined || matched[2].trim() === ""
      ? { line, secret: false }
      : { line: `${matched[1]} ${masked}`, secret: true };
  return afterAuth && !understood ? { line: masked, secret: true } : { line, secret: false };
}
