// Takes every message for everybody and prints it: for trying out programs that send mail.

import { mailhost } from "@mailhost/core";
import { mux } from "@mailhost/plugin-mux";

const routes = mux({ catchAll: true });

routes.handle("*@*", async (envelope) => {
  const to = envelope.recipients.map(({ address }) => address.text).join(", ");
  console.log(`--- from ${envelope.reversePath?.text ?? "<>"} to ${to}`);
  console.log(await envelope.text());
});

const server = await mailhost({ name: "localhost", plugins: [routes] }).listen(2525, "127.0.0.1");

for (const { address, port } of server.addresses) console.log(`listening on ${address}:${port}`);

process.once("SIGINT", () => void server.close());
