import { defer, disconnect, isRefusal, reject, rejectWith } from "@mailhost/core";
import { expect, test } from "vitest";

test("refusals have their usual replies", () => {
  expect(reject()).toMatchObject({ reply: { code: 550, status: "5.7.1", text: "Rejected" }, close: false });
  expect(defer()).toMatchObject({ reply: { code: 451, status: "4.7.1", text: "Try again later" }, close: false });
  expect(disconnect()).toMatchObject({
    reply: { code: 421, status: "4.7.0", text: "Closing connection" },
    close: true,
  });
  expect(disconnect("No", { code: 554 })).toMatchObject({ reply: { code: 554, status: "5.7.0" }, close: true });
  expect(disconnect("No", { code: 450 })).toMatchObject({ reply: { code: 450, status: "4.7.0" } });
  expect(reject("No", { code: 552, status: "5.2.2" })).toMatchObject({
    reply: { code: 552, status: "5.2.2", text: "No" },
  });
});

test.each([
  () => reject("a\r\nb"),
  () => reject("ü"),
  () => reject("x".repeat(600)),
  () => defer("No", { status: "5.0.0" as never }),
  () => reject("No", { code: 250 as never }),
  () => disconnect("No", { code: 554, status: "4.7.0" }),
  () => rejectWith({ code: 250, text: "Ok" }),
  () => rejectWith({ code: 354, text: "Go" }),
  () => rejectWith({ code: 550, status: "4.1.1", text: "x" }),
])("a reply that may not be sent throws where it is made: %s", (make) => {
  expect(make).toThrow(TypeError);
});

test("a configured reply is refused with as it stands", () => {
  expect(rejectWith({ code: 450, status: "4.2.1", text: ["one", "two"] })).toMatchObject({
    reply: { code: 450 },
    close: false,
  });
});

test("a refusal is known by its brand", () => {
  expect([reject(), defer(), disconnect()].every(isRefusal)).toBe(true);
  expect([null, undefined, 1, "no", {}, { ...reject(), reply: { code: 250, text: "x" } }].some(isRefusal)).toBe(false);
});
