import { type ListenerOptions, type MailhostOptions, type Problem, mailhost } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { codes, problemsOf } from "../support/problems.ts";

const server = (options: object): Promise<readonly Problem[]> =>
  problemsOf({ plugins: [sink()], ...(options as MailhostOptions) });
const listener = (options: object): Promise<readonly Problem[]> => server({ listeners: [options as ListenerOptions] });

describe("settings", () => {
  test("that are unknown are told, with the likely one", async () => {
    expect(await server({ plugin: [] })).toMatchObject([
      { code: "UNKNOWN_OPTION", where: "plugin", mend: "Did you mean plugins?" },
    ]);
    expect(await server({ elsewhere: 1 })).toMatchObject([
      { where: "elsewhere", mend: expect.stringMatching(/^It knows: name, plugins, /) },
    ]);
    expect(await listener({ port: 0, adress: "x" })).toMatchObject([
      { code: "UNKNOWN_OPTION", where: "listeners[0].adress" },
    ]);
    expect(await server({ limits: { recipient: 1 } })).toMatchObject([
      { where: "limits.recipient", mend: "Did you mean recipients?" },
    ]);
    expect(await server({ timeouts: { comand: 1 } })).toMatchObject([
      { where: "timeouts.comand", mend: "Did you mean command?" },
    ]);
  });

  test.each([-1, Number.NaN, "5", null])("a limit of %o is none", async (value) => {
    expect(await server({ limits: { recipients: value } })).toMatchObject([
      { code: "BAD_OPTION", where: "limits.recipients" },
    ]);
    expect(await listener({ port: 0, timeouts: { tap: value } })).toMatchObject([
      { where: "listeners[0].timeouts.tap" },
    ]);
  });

  test.each([-1, 65_536, 1.5, "25"])("%o is no port", async (port) => {
    expect(await listener({ port })).toMatchObject([{ code: "BAD_LISTENER", where: "listeners[0].port" }]);
  });

  test("a listener wants a port or a descriptor, and modes that exist", async () => {
    expect(await listener({})).toMatchObject([{ where: "listeners[0].port", what: "it says no port" }]);
    expect(await listener({ fd: 3 })).toEqual([]);
    expect(await listener({ port: 0, mode: "relay" })).toMatchObject([{ where: "listeners[0].mode" }]);
    expect(await listener({ port: 0, tls: "starttls" })).toMatchObject([{ where: "listeners[0].tls" }]);
    expect(await server({ listeners: [] })).toMatchObject([{ what: "there is no listener" }]);
  });

  test("two listeners of one name are one too many", async () => {
    expect(
      await server({
        listeners: [
          { port: 0, name: "a" },
          { port: 0, name: "a" },
        ],
      }),
    ).toMatchObject([{ code: "DUPLICATE_NAME", where: "listeners[1].name" }]);
    expect(await server({ listeners: [{ port: 0 }, { port: 0 }] })).toEqual([]);
  });

  test.each(["", "two words", "a\r\nb", "m\u00fc ller", "-"])("%j is no name of a server", async (name) => {
    expect(await server({ name })).toMatchObject([{ code: "BAD_OPTION", where: "name" }]);
    expect(codes(await listener({ port: 0, serverName: name }))).toEqual(["BAD_OPTION"]);
  });

  test.each(["mx.example.com", "[192.0.2.25]", "localhost"])("%s is one", async (name) => {
    expect(await server({ name })).toEqual([]);
  });

  test("what is no plugin is told where it stands", async () => {
    const factory = () => sink();
    expect(await server({ plugins: [sink(), factory, {}, null] })).toMatchObject([
      { code: "BAD_PLUGIN", where: "plugins[1]" },
      { code: "BAD_PLUGIN", where: "plugins[2]" },
      { code: "BAD_PLUGIN", where: "plugins[3]" },
    ]);
    expect(await listener({ port: 0, plugins: ["maildir"] })).toMatchObject([{ where: "listeners[0].plugins[0]" }]);
  });

  test("what is no network is told where it stands", async () => {
    expect(await server({ normalizeFor: ["192.0.2.0/24", "here"] })).toMatchObject([
      { code: "BAD_OPTION", where: "normalizeFor[1]" },
    ]);
    expect(await listener({ port: 0, normalizeFor: ["192.0.2.0/99"] })).toMatchObject([
      { where: "listeners[0].normalizeFor[0]" },
    ]);
  });

  test("all problems are told at once, and one of two listeners once", async () => {
    const problems = await problemsOf({
      name: "x y",
      plugins: [sink()],
      listeners: [{ port: 0, mode: "x" as never }, { port: -1 }],
    });
    expect(codes(problems)).toEqual(["BAD_OPTION", "BAD_LISTENER", "BAD_LISTENER"]);
    expect(
      codes(
        await problemsOf({
          plugins: [{ ...sink(), options: {}, definition: { ...sink().definition, core: "^9" } }],
          listeners: [{ port: 0 }, { port: 0 }],
        }),
      ),
    ).toEqual(["CORE_VERSION"]);
  });
});

test("a server without settings has those one would expect", async () => {
  const one = await mailhost({ plugins: [sink()], listeners: [{ fd: 7 }, { port: 2525 }, { port: 0 }] }).prepare();
  expect(one.generations.map((generation) => generation.listener.name)).toEqual(["fd-7", "2525", "listener-2"]);
  expect(one.generations[0]?.listener.serverName).toMatch(/^[a-z0-9_.-]+$/);
  expect(one.generations[0]?.limits.recipients).toBe(1000);
  await one.close();
  await mailhost({ plugins: [sink()] })
    .prepare()
    .then((plain) => plain.close());
});
