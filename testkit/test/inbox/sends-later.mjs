// An application in a process of its own: sends one message, a while after it was started
import { createTransport } from "nodemailer";

const [, , port, to] = process.argv;
setTimeout(() => {
  void createTransport({ host: "127.0.0.1", port: Number(port) }).sendMail({ from: "app@example.com", to, text: "x" });
}, 50);
