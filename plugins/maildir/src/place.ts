/** Where mail for an address goes. */
export interface Place {
  /** Names of the folders from the root to the mailbox. */
  readonly steps: readonly string[];
  /** Name of the Maildir++ folder inside the mailbox, with its leading dot. */
  readonly subfolder: string | undefined;
}

/** A folder with `cur`, `new` and `tmp` inside, where mail is put. */
export interface Maildir {
  readonly path: string;
  readonly new: string;
  readonly tmp: string;
}

export const maildirAt = (path: string): Maildir => ({ path, new: below(path, "new"), tmp: below(path, "tmp") });

/** A path below a folder, of names that `locate` and this plugin give: there is nothing to resolve in it. */
export const below = (folder: string, name: string): string => `${folder}/${name}`;

export function placePath(root: string, { steps, subfolder }: Place): string {
  let path = root;
  for (const step of steps) path = below(path, step);
  return subfolder === undefined ? path : below(path, subfolder);
}
