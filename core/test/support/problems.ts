import { ConfigurationError, type MailhostOptions, type Problem, mailhost } from "@mailhost/core";
import { recorder } from "./dialogue.ts";

/** What is wrong with a configuration; nothing when it can be put in force. */
export async function problemsOf(options: MailhostOptions): Promise<readonly Problem[]> {
  const server = mailhost({ log: recorder(), ...options });
  try {
    await server.prepare();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  } finally {
    await server.close();
  }
}

export const codes = (problems: readonly Problem[]): string[] => problems.map(({ code }) => code);
