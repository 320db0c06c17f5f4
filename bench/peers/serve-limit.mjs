// The least Node can do and still hold the dialogue: canned replies, nothing parsed, nothing kept. A verb is known by
// its first octet, a body ends where CRLF . CRLF stands. It is a measure, not a server: it believes its clients.
// argv: a folder with `tmp` and `new`, if each message is to be stored there before it is answered.
import { createServer } from "node:net";
import { TLSSocket, createSecureContext } from "node:tls";
import { generate } from "selfsigned";
import { storeIn } from "./store-synced.mjs";

const end = Buffer.from("\r\n.\r\n");
const ok = Buffer.from("250 Ok\r\n");
const authenticated = Buffer.from("235 Ok\r\n");
const goAhead = Buffer.from("220 Go ahead\r\n");
const replies = {
  65: authenticated,
  69: Buffer.from("250-limit\r\n250 PIPELINING\r\n"),
  68: Buffer.from("354 Go on\r\n"),
  81: Buffer.from("221 Bye\r\n"),
};
const [A, E, D, Q, S] = [65, 69, 68, 81, 83];

// As the plugin makes one: P-256
const pem = await generate([{ name: "commonName", value: "limit" }], { keyType: "ec", algorithm: "sha256" });
const secureContext = createSecureContext({ cert: pem.cert, key: pem.private, minVersion: "TLSv1.2" });

const root = process.argv[2];
const store = root === undefined ? undefined : storeIn(root);

function speak(socket) {
  let body = [];
  let inBody = false;
  let tail = Buffer.alloc(0); // the last four octets of a body that goes on
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    const out = [];
    let at = 0;
    while (at < chunk.length) {
      if (inBody) {
        let found = tail.length > 0 ? Buffer.concat([tail, chunk.subarray(at, at + 4)]).indexOf(end) : -1;
        found = found >= 0 ? at + found + 5 - tail.length : (found = chunk.indexOf(end, at)) < 0 ? -1 : found + 5;
        if (found < 0) {
          if (store !== undefined) body.push(chunk.subarray(at));
          tail = chunk.length - at >= 4 ? chunk.subarray(-4) : Buffer.concat([tail, chunk.subarray(at)]).subarray(-4);
          break;
        }
        if (store === undefined) out.push(ok);
        else {
          body.push(chunk.subarray(at, found));
          store(body, () => socket.write(ok)); // nobody pipelines behind a body here
          body = [];
        }
        at = found;
        inBody = false;
        continue;
      }
      const verb = chunk[at];
      const line = chunk.indexOf(10, at);
      if (line < 0) break;
      at = line + 1;
      if (verb === S) {
        socket.removeAllListeners("data");
        socket.write(goAhead);
        speak(new TLSSocket(socket, { isServer: true, secureContext }));
        return;
      }
      out.push(verb === A || verb === E || verb === D || verb === Q ? replies[verb] : ok);
      if (verb === D) {
        inBody = true;
        tail = Buffer.from("\r\n");
      }
      if (verb === Q) {
        socket.end(Buffer.concat(out));
        return;
      }
    }
    if (out.length > 0) socket.write(out.length === 1 ? out[0] : Buffer.concat(out));
  });
}

const server = createServer({ noDelay: true }, (socket) => {
  speak(socket);
  socket.write("220 limit\r\n");
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => process.send(server.address().port));
process.on("disconnect", () => process.exit(0)); // the bench is over, or was ended
