import { createTransport } from "nodemailer";

/** Sends the link that confirms an address. Tries three times while the mail server, or the way to it, is not well. */
export async function signUp(smtp: string, address: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await createTransport(smtp).sendMail({
        from: "Shop <shop@example.com>",
        to: address,
        subject: "Confirm your address",
        html: `<p>Hello! <a href="https://shop.example/confirm?address=${encodeURIComponent(address)}">Confirm</a></p>`,
      });
      return;
    } catch (error) {
      // 5yz is for good (RFC 5321 §4.2.1); without a reply the connection broke
      const code = error instanceof Error && "responseCode" in error ? Number(error.responseCode) : 0;
      if (code >= 500 || attempt === 3) throw error;
    }
  }
}
