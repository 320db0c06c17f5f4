/** Something that is wrong, and how to mend it. */
export interface Finding {
  readonly what: string;
  readonly mend: string;
}

/** One check of a contract. */
export interface ContractCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was found; why it was left out; empty when all is well. */
  readonly what: string;
  /** How to mend it; empty when all is well. */
  readonly mend: string;
}

/** What a plugin was put through, and how it did. */
export interface ContractReport {
  readonly plugin: string;
  readonly passed: number;
  readonly failed: number;
  readonly checks: readonly ContractCheck[];
}

/** A plugin that does not keep the contract. */
export class ContractError extends Error {
  override readonly name = "ContractError";
  readonly report: ContractReport;

  constructor(report: ContractReport) {
    const failed = report.checks.filter(({ ok }) => !ok);
    const told = failed.map(({ name, what, mend }) => `  ${name}: ${indent(what)}\n    Mend: ${indent(mend)}`);
    super(`${report.plugin} fails ${failed.length} of ${report.checks.length} checks:\n${told.join("\n")}`);
    this.report = report;
  }
}

const indent = (text: string): string => text.replaceAll("\n", "\n    ");

/** Ids of messages and names of files made of them: words of ten characters or more with a digit. */
const ids = /(?<![\w-])(?=[\w-]*\d)[\w-]{10,}/g;

/** The first of those that say the same but for ids, and how many there are. */
export function alike<T>(all: readonly T[], textOf: (one: T) => string): { readonly one: T; readonly count: number }[] {
  const groups = new Map<string, { one: T; count: number }>();
  for (const one of all) {
    const key = textOf(one).replace(ids, "*");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { one, count: 1 });
    else group.count += 1;
  }
  return [...groups.values()];
}

/** Findings of one check as one. */
export function checkOf(name: string, findings: readonly Finding[]): ContractCheck {
  const texts = (pick: (finding: Finding) => string): string =>
    alike(findings.map(pick), (text) => text)
      .map(({ one }) => one)
      .join("\n");
  return { name, ok: findings.length === 0, what: texts(({ what }) => what), mend: texts(({ mend }) => mend) };
}

/** The report when every check is well. Throws a ContractError with it when one is not. */
export function concluded(plugin: string, checks: readonly ContractCheck[]): ContractReport {
  const failed = checks.filter(({ ok }) => !ok).length;
  const report = { plugin, passed: checks.length - failed, failed, checks };
  if (failed > 0) throw new ContractError(report);
  return report;
}
