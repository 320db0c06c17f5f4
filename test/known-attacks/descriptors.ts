import { mailhost } from "@mailhost/core";
import { sink } from "@mailhost/testkit";

// A server for a process that may open few files. Prints its port.
const server = await mailhost({
  plugins: [sink()],
  limits: { connections: 10_000, connectionsPerClient: 10_000 },
}).listen(0, "127.0.0.1");
console.log(server.addresses[0]?.port);
