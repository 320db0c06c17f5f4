import { definePlugin, reject } from "@mailhost/core";

const rude = reject("Say your own name, not ours", { code: 550, status: "5.7.1" });

/** Refuses clients that greet with the server's own name, as only spammers do. */
export default definePlugin({
  name: "greet",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    const own = host.listener.serverName.toLowerCase();
    host.hooks.ehlo.tap("greet", ({ name }) => (name.toLowerCase() === own ? rude : undefined));
  },
});
