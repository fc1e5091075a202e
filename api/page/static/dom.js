// The only way from values to elements: text is always a text node, never HTML.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in { value: 1, disabled: 1, checked: 1, hidden: 1, open: 1 }) element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

// Makes the children of `parent` what `rows` say: a row whose `parts` are the same values keeps its element, and what a
// person typed into it. rows: [{key, parts: [...], build(previousElement) -> element}]
export function keyed(parent, rows) {
  const before = parent.keyed ?? new Map(), after = new Map();
  let place = parent.firstChild;
  for (const row of rows) {
    const known = before.get(row.key);
    const isSame = known && known.parts.length === row.parts.length && known.parts.every((part, at) => part === row.parts[at]);
    const element = isSame ? known.element : row.build(known?.element);
    after.set(row.key, { parts: row.parts, element });
    if (known && known.element !== element) {
      if (place === known.element) place = element;
      known.element.replaceWith(element);
    }
    if (element !== place) parent.insertBefore(element, place);
    else place = place.nextSibling;
  }
  for (const [key, known] of before) if (!after.has(key)) known.element.remove();
  parent.keyed = after;
}

// As core/text.py: what makes a symbol colourful or plain (U+FE0F, U+FE0E) is seen where it follows one.
const HIDDEN = /([^\P{So}\u2800][\uFE0E\uFE0F])|[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

// Writes each character that a person would not see as [U+202E].
export const reveal = (text) =>
  String(text).replace(HIDDEN, (one, symbol) => (symbol || one === "\n" || one === "\t" ? one : `[U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`));

// Words in which Latin letters stand beside those of alphabets that look alike.
export const mixedWords = (text) =>
  (String(text).match(/[\p{L}\p{N}.-]+/gu) ?? []).filter((word) => /\p{Script=Latin}/u.test(word) && /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u.test(word));

export function left(until, now = Date.now()) {
  const seconds = Math.max(0, Math.floor((Date.parse(until) - now) / 1000));
  const hours = Math.floor(seconds / 3600), minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${seconds} s`;
}

export const clock = (at) => new Date(at).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });

// The time alone, on the same day.
export const hour = (at) => (new Date(at).toDateString() === new Date().toDateString() ? new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }) : clock(at));

// While something is sent its buttons are off, and the focus of the one that was pressed waits at the note: a disabled
// button would lose it. Gives what turns them on again.
export function busy(note, buttons, text) {
  const pressed = [...buttons].includes(document.activeElement) ? document.activeElement : null;
  note.tabIndex = -1;
  note.textContent = text;
  if (pressed) note.focus();
  for (const one of buttons) one.disabled = true;
  return () => {
    for (const one of buttons) one.disabled = false;
    if (document.activeElement === note) pressed?.focus();
  };
}
