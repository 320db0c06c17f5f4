// npm's smtp-server as its documentation starts it, without AUTH, body discarded. argv: the folder it is installed in
const { createRequire } = require("node:module");
const path = require("node:path");

const { SMTPServer } = createRequire(path.join(process.argv[2], "package.json"))("smtp-server");

const server = new SMTPServer({
  authOptional: true,
  onAuth: (_auth, _session, done) => done(new Error("wrong")),
  onData(stream, _session, done) {
    stream.resume();
    stream.on("end", () => done());
  },
});
server.on("error", () => {}); // a client's error is not the server's
server.listen(0, "127.0.0.1", () => process.send(server.server.address().port));
process.on("disconnect", () => process.exit(0)); // the bench is over, or was ended
