// What a Maildir costs at least: a file in `tmp`, on the disk, its name in `new`, and that on the disk as well.
import { close, fsync, open, openSync, rename, writev } from "node:fs";
import { join } from "node:path";

/** A function that stores octets below that folder and then calls back. */
export function storeIn(root) {
  const folder = openSync(join(root, "new"), "r");
  let count = 0;
  const orEnd = (next) => (error, value) => {
    if (error) throw error; // a measure, not a server
    next(value);
  };
  return (chunks, done) => {
    const name = `${Date.now()}.${process.pid}_${(count += 1)}.limit`;
    const path = join(root, "tmp", name);
    const shown = orEnd(() => fsync(folder, orEnd(done)));
    open(
      path,
      "wx",
      0o600,
      orEnd((file) => {
        const closed = orEnd(() => rename(path, join(root, "new", name), shown));
        const synced = orEnd(() => close(file, closed));
        writev(
          file,
          chunks,
          orEnd(() => fsync(file, synced)),
        );
      }),
    );
  };
}
