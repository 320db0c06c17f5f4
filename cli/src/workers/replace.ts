import { connect } from "node:net";
import { createInterface } from "node:readline";
import { RunTimeError, UsageError } from "../exit.ts";
import { type Answer, replaceOrder } from "./control.ts";

/**
 * `mailhost start --replace`: asks a running primary to replace its workers one by one. Resolves once new ones listen in
 * the place of all; rejects with a RunTimeError that says why not.
 */
export async function replace(control: string | undefined): Promise<void> {
  if (control === undefined)
    throw new UsageError(
      "--replace needs --control <socket> (or MAILHOST_CONTROL), as the running server was started with",
    );
  const socket = connect(control);
  let trouble = `the server went away before it was done; its log says more`;
  socket.on("error", (error: NodeJS.ErrnoException) => {
    trouble =
      error.code === "ENOENT" || error.code === "ECONNREFUSED"
        ? `nobody answers at ${control}. Start the server with: mailhost start --workers 1 --control ${control}`
        : `cannot reach the server at ${control}: ${error.message}`;
  });
  socket.write(`${replaceOrder}\n`);
  try {
    for await (const line of createInterface({ input: socket })) {
      // The other end is this very program, perhaps of another version: what is not known is passed over
      const answer = JSON.parse(line) as Partial<Answer>;
      if ("replaced" in answer && answer.replaced !== undefined) tell(answer.replaced);
      if ("why" in answer && answer.why !== undefined) trouble = answer.why;
      else if ("done" in answer) return;
    }
  } catch {
    // told by `error` above
  }
  throw new RunTimeError(trouble);
}

const tell = (replaced: { readonly old?: number | undefined; readonly new: number }): void =>
  void process.stdout.write(`worker ${replaced.old ?? "(dead)"} replaced by ${replaced.new}\n`);
