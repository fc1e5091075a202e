// A question of a program to people: its choices, or a field to write the answer in.

import { h, reveal } from "./dom.js";
import { words } from "./words.js";

let questions = 0;

export const isQuestion = ({ action, origin, arguments_schema: schema }) => origin === "service" && action === "human.answer" && !!schema?.properties?.answer;

// {element, read() -> the answer, or null with what is missing shown; fail(sentence)}
export function answerForm({ arguments_schema: { properties: { answer } } }) {
  const name = `answer-${++questions}`, choices = (answer.enum ?? []).filter((one) => one !== "");
  const why = h("p", { class: "warning", id: `${name}-why`, role: "alert" });
  const text = h("textarea", { id: name, rows: 3, maxlength: answer.maxLength ?? 4000, "aria-describedby": `${name}-why` });
  const radios = choices.map((one, place) => h("input", { type: "radio", name, id: `${name}-${place}`, value: String(place) }));
  const element = choices.length
    ? h("fieldset", { "aria-describedby": `${name}-why` }, h("legend", {}, words.answer), radios.map((radio, place) => h("label", { class: "radio", for: radio.id }, radio, " ", reveal(choices[place]))), why)
    : h("div", { class: "field" }, h("label", { for: name }, words.answer), text, why);
  const fail = (sentence) => {
    why.textContent = sentence;
    (radios[0] ?? text).focus();
    return null;
  };
  return {
    element, fail,
    read() {
      why.textContent = "";
      const found = choices.length ? choices[radios.findIndex((one) => one.checked)] : text.value.trim();
      return found ? found : fail(words.answerMissing);
    },
  };
}
