// npm's smtp-server as its documentation starts it, without AUTH, body discarded; with a certificate, with STARTTLS and
// AUTH PLAIN. argv: the folder it is installed in, and the paths of a certificate and its key
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");

const [, , installed, cert, key] = process.argv;
const { SMTPServer } = createRequire(path.join(installed, "package.json"))("smtp-server");

const secured =
  cert === undefined
    ? { onAuth: (_auth, _session, done) => done(new Error("wrong")) }
    : {
        cert: readFileSync(cert),
        key: readFileSync(key),
        allowInsecureAuth: true,
        onAuth: ({ username }, _session, done) => done(null, { user: username }),
      };
const server = new SMTPServer({
  ...secured,
  authOptional: true,
  onData(stream, _session, done) {
    stream.resume();
    stream.on("end", () => done());
  },
});
server.on("error", () => {}); // a client's error is not the server's
server.listen(0, "127.0.0.1", () => process.send(server.server.address().port));
process.on("disconnect", () => process.exit(0)); // the bench is over, or was ended
