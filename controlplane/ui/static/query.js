// Completes metrics, labels, values and functions in the expression box. The box stays a text box:
// the list is a listbox that the box points at, arrow keys choose in it, Tab or Enter take.
"use strict";

const box = document.getElementById("expr");
const list = document.getElementById("suggestions");
const told = document.getElementById("suggested");
const vocabulary = JSON.parse(box.dataset.vocabulary);
const kinds = JSON.parse(box.dataset.kinds);
const API = "/prometheus/api/v1";
const MOST = 12;
const answers = new Map();
let shown = { options: [], active: -1, start: 0 };
let asked = 0;

// ---- what is there ------------------------------------------------------------------------------

// Each question is asked once; one that failed may be asked again.
function ask(path) {
  if (!answers.has(path)) {
    const answer = fetch(path)
      .then((response) => (response.ok ? response.json() : Promise.reject(new Error(response.status))))
      .then((body) => body.data);
    answer.catch(() => answers.delete(path));
    answers.set(path, answer);
  }
  return answers.get(path).catch(() => []);
}

function matching(metric) {
  return metric ? `&match[]=${encodeURIComponent(metric)}` : "";
}

async function options(place) {
  if (place.kind === "value") {
    const values = await ask(`${API}/label/${encodeURIComponent(place.label)}/values?limit=5000${matching(place.metric)}`);
    return values.map((text) => ({ text, kind: "value" }));
  }
  if (place.kind === "label") {
    const names = await ask(`${API}/labels?limit=5000${matching(place.metric)}`);
    return names.filter((text) => text !== "__name__" && /^[A-Za-z_]\w*$/.test(text)).map((text) => ({ text, kind: "label" }));
  }
  const names = await ask(`${API}/label/__name__/values?limit=20000`);
  return [
    ...names.filter((text) => /^[A-Za-z_:][\w:]*$/.test(text)).map((text) => ({ text, kind: "metric" })),
    ...vocabulary.functions.map((text) => ({ text, kind: "function" })),
    ...vocabulary.aggregations.map((text) => ({ text, kind: "aggregation" })),
  ];
}

// ---- where the cursor stands --------------------------------------------------------------------

// Returns what may stand at the cursor, the word begun there and where it starts; null for nothing.
function placeOf(text) {
  let quote = "";
  let quoted = 0;
  const open = [];
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quote) {
      if (sign === "\\" && quote !== "`") at++;
      else if (sign === quote) quote = "";
    } else if (sign === "#") {
      const end = text.indexOf("\n", at);
      if (end < 0) return null;
      at = end;
    } else if (`"'\``.includes(sign)) [quote, quoted] = [sign, at];
    else if ("({[".includes(sign)) open.push({ sign, at });
    else if (")}]".includes(sign)) open.pop();
  }
  const around = open.at(-1);
  const braces = open.findLast((each) => each.sign === "{");
  const metric = braces ? /[A-Za-z_:][\w:]*$/.exec(text.slice(0, braces.at).trimEnd())?.[0] : "";
  if (quote) {
    const label = braces && /([A-Za-z_]\w*)\s*(=|!=|=~|!~)\s*$/.exec(text.slice(0, quoted))?.[1];
    return label ? { kind: "value", label, metric, word: text.slice(quoted + 1), start: quoted + 1 } : null;
  }
  if (around?.sign === "[") return null;
  const word = /[A-Za-z_:][\w:]*$/.exec(text)?.[0] ?? "";
  const start = text.length - word.length;
  const before = text.slice(0, start);
  if (/[\w.]$/.test(before)) return null;
  if (around?.sign === "{") return /[{,]\s*$/.test(before) ? { kind: "label", metric, word, start } : null;
  if (around && /\b(by|without|on|ignoring|group_left|group_right)\s*$/i.test(text.slice(0, around.at))) {
    return { kind: "label", metric: grouped(text.slice(around.at)), word, start };
  }
  return word ? { kind: "word", word, start } : null;
}

// Returns the metric that a grouping is about where it can be told, to offer its labels alone.
function grouped() {
  const rest = box.value.slice(box.selectionStart);
  return /\)\s*\(.*?\b([A-Za-z_:][\w:]*)\s*[{[]/s.exec(rest)?.[1] ?? "";
}

// ---- the list -----------------------------------------------------------------------------------

// Those that begin with the word come first, then those that hold it.
function chosen(all, word) {
  const wanted = word.toLowerCase();
  const found = [];
  for (const option of all) {
    const at = option.text.toLowerCase().indexOf(wanted);
    if (at >= 0 && option.text !== word) found.push({ ...option, rank: at && 1 });
  }
  found.sort((one, other) => one.rank - other.rank || one.text.length - other.text.length || (one.text < other.text ? -1 : 1));
  return found.slice(0, MOST);
}

async function suggest(even = false) {
  const number = ++asked;
  const collapsed = box.selectionStart === box.selectionEnd;
  const place = collapsed ? placeOf(box.value.slice(0, box.selectionStart)) : null;
  const wanted = place ?? (even ? { kind: "word", word: "", start: box.selectionStart } : null);
  if (!wanted) return close();
  const all = await options(wanted);
  if (number !== asked) return undefined;
  return show(chosen(all, wanted.word), wanted.start);
}

function show(found, start) {
  if (!found.length) return close();
  shown = { options: found, active: -1, start };
  list.replaceChildren(...found.map((option, place) => {
    const row = document.createElement("li");
    row.id = `suggestion-${place}`;
    row.role = "option";
    row.ariaSelected = "false";
    row.append(option.text);
    const kind = row.appendChild(document.createElement("span"));
    kind.className = "faint";
    kind.textContent = kinds[option.kind];
    row.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      take(place);
    });
    return row;
  }));
  list.hidden = false;
  told.textContent = box.dataset.many.replace("#", found.length);
  box.removeAttribute("aria-activedescendant");
  return undefined;
}

function close() {
  asked++;
  shown = { options: [], active: -1, start: 0 };
  list.hidden = true;
  list.replaceChildren();
  told.textContent = "";
  box.removeAttribute("aria-activedescendant");
}

function choose(by) {
  const count = shown.options.length;
  shown.active = shown.active < 0 && by < 0 ? count - 1 : (shown.active + by + count) % count;
  [...list.children].forEach((row, place) => {
    row.ariaSelected = String(place === shown.active);
  });
  const row = list.children[shown.active];
  row.scrollIntoView({ block: "nearest" });
  box.setAttribute("aria-activedescendant", row.id);
}

function take(place) {
  const { text, kind } = shown.options[place];
  const end = box.selectionStart;
  const calls = (kind === "function" || kind === "aggregation") && box.value[end] !== "(";
  const written = kind === "value" ? text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n") : text;
  box.setRangeText(written + (calls ? "(" : ""), shown.start, end, "end");
  close();
  box.focus();
  grow();
}

// ---- keys ---------------------------------------------------------------------------------------

function onKey(event) {
  if (event.isComposing) return;
  const open = !list.hidden;
  if (event.key === " " && event.ctrlKey) suggest(true);
  else if (open && event.key === "ArrowDown") choose(1);
  else if (open && event.key === "ArrowUp") choose(-1);
  else if (open && event.key === "Tab" && !event.shiftKey) take(Math.max(0, shown.active));
  else if (open && event.key === "Enter" && shown.active >= 0) take(shown.active);
  else if (open && event.key === "Escape") close();
  else if (event.key === "Enter" && !event.shiftKey) box.form.requestSubmit();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function grow() {
  box.rows = Math.min(16, Math.max(2, box.value.split("\n").length));
}

box.setAttribute("aria-autocomplete", "list");
box.setAttribute("aria-haspopup", "listbox");
box.setAttribute("aria-controls", list.id);
box.addEventListener("keydown", onKey);
box.addEventListener("input", () => {
  grow();
  suggest();
});
box.addEventListener("blur", close);
box.addEventListener("focus", () => ask(`${API}/label/__name__/values?limit=20000`), { once: true });
