// mailauth ships no types; these are the two calls the tests make.
declare module "mailauth/lib/dkim/sign.js" {
  export function dkimSign(
    message: Buffer,
    options: {
      signatureData: { signingDomain: string; selector: string; privateKey: string; canonicalization?: string }[];
    },
  ): Promise<{ signatures: string; errors: readonly Error[] }>;
}

declare module "mailauth/lib/dkim/verify.js" {
  export function dkimVerify(
    message: Buffer,
    options: { resolver: (name: string, type: string) => Promise<string[][]> },
  ): Promise<{ results: { status: { result: string } }[] }>;
}
