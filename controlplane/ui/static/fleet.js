// Targets that change their state before the reader's eyes: named cells and rows, and the cells of the map.
"use strict";

const signs = { up: "●", down: "▲", unknown: "◌", paused: "‖" };
const letters = { u: "up", d: "down", n: "unknown", p: "paused" };

// ---- named cells and rows of lists ---------------------------------------------------------------

const words = document.querySelector("[data-up][data-down]")?.dataset ?? {};

function show(element, state) {
  if (element.dataset.state === state) return;
  element.classList.remove(`cell-${element.dataset.state}`);
  element.dataset.state = state;
  if (element.classList.contains("cell")) {
    element.classList.add(`cell-${state}`);
    element.querySelector(".sign").textContent = signs[state];
    element.querySelector(".said").textContent = ` ${words[state] ?? state}`;
  } else {
    const shown = element.querySelector(".state");
    shown.className = `state state-${state}`;
    shown.replaceChildren(Object.assign(document.createElement("span"), { className: "sign", textContent: signs[state], ariaHidden: "true" }), ` ${words[state] ?? state}`);
  }
  element.classList.remove("changed");
  void element.offsetWidth; // so that the animation begins anew
  element.classList.add("changed");
}

// What a target's event makes of its state, or nothing where the event says nothing of it.
function next(detail, state) {
  if (detail.change === "state") return state === "paused" ? state : detail.state;
  if (detail.change !== "changed") return undefined;
  if (detail.paused) return "paused";
  return state === "paused" ? "unknown" : state;
}

// ---- the map ---------------------------------------------------------------------------------------

// Cells by the beginnings of ids: the block each is in, and its place there. Read when first needed.
let cells = null;
let length = 0;
let reading = null;

function blocks() {
  return [...document.querySelectorAll(".blocks > .block")];
}

async function read(names = false) {
  const by = document.querySelector(".blocks")?.dataset.by ?? "";
  const answer = await fetch(`/fleet?${new URLSearchParams(names ? { by, names: "" } : { by })}`);
  if (!answer.ok) throw new Error(`the map's cells: status ${answer.status}`);
  return answer.json();
}

async function learn() {
  const known = await read();
  const elements = blocks();
  const fits = known.blocks.length === elements.length && known.blocks.every(({ states }, at) => states.length === +elements[at].dataset.size);
  if (!fits) {
    again();
    return;
  }
  length = known.length;
  cells = new Map();
  known.blocks.forEach(({ ids, states }, at) => {
    const block = { element: elements[at], states: [...states].map((letter) => letters[letter]) };
    for (let place = 0; place < states.length; place += 1) cells.set(ids.slice(place * length, (place + 1) * length), { block, place });
    draw(block);
  });
}

// The same paths as the server's: each run of one state within a row is one stroke.
function draw({ element, states }) {
  const pitch = +element.parentElement.dataset.pitch;
  const columns = +element.dataset.columns;
  const strokes = { up: "", down: "", unknown: "", paused: "" };
  for (let start = 0; start < states.length; start += columns) {
    const end = Math.min(start + columns, states.length);
    const y = (start / columns) * pitch + pitch / 2;
    for (let left = start; left < end;) {
      let right = left + 1;
      while (right < end && states[right] === states[left]) right += 1;
      strokes[states[left]] += `M${(left - start) * pitch} ${y}h${(right - left) * pitch - 1}`;
      left = right;
    }
  }
  for (const [state, path] of Object.entries(strokes)) element.querySelector(`path.${state}`).setAttribute("d", path);
  count(element, states);
}

function count(element, states) {
  const counts = { up: 0, down: 0, unknown: 0, paused: 0 };
  for (const state of states) counts[state] += 1;
  element.querySelector("svg").setAttribute("aria-label", Object.entries(counts).map(([state, number]) => `${number} ${words[state] ?? state}`).join(", "));
  const line = element.querySelector(".block-counts");
  line.textContent = counts.down ? " / " : "";
  if (counts.down) {
    const down = Object.assign(document.createElement("b"), { className: "state-down", textContent: `▲ ${counts.down}` });
    line.prepend(down);
  }
  line.append(String(states.length));
}

// Other targets, or other groups, than those that are drawn: the server draws anew.
function again() {
  document.body.dispatchEvent(new CustomEvent("cp:fleet"));
}

const waiting = [];
let drawing = 0;
const stale = new Set();

async function onMap(detail) {
  waiting.push(detail);
  if (!cells) {
    reading ??= learn().finally(() => { reading = null; });
    await reading;
  }
  if (!cells) return;
  for (const each of waiting.splice(0)) {
    const cell = cells.get(each.subject.slice(0, length));
    const state = cell && next(each, cell.block.states[cell.place]);
    if (!state || state === cell.block.states[cell.place]) continue;
    cell.block.states[cell.place] = state;
    stale.add(cell.block);
  }
  // Many events of one moment are drawn once.
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    stale.forEach(draw);
    stale.clear();
  });
}

document.body.addEventListener("cp:target", ({ detail }) => {
  if (!detail.subject || detail.change === "added" || detail.change === "removed") {
    again();
    return;
  }
  if (detail.subject === document.querySelector("[data-subject]")?.dataset.subject) document.body.dispatchEvent(new CustomEvent("cp:this"));
  for (const element of document.querySelectorAll(`[data-target="${CSS.escape(detail.subject)}"]`)) {
    const state = next(detail, element.dataset.state);
    if (state) show(element, state);
  }
  if (blocks().length) onMap(detail).catch(again);
});

document.addEventListener("cp:drawn", () => {
  if (cells && !cells.values().next().value?.block.element.isConnected) cells = null;
});

// ---- a pointer over the map ------------------------------------------------------------------------

let names = null;

function under(event) {
  const drawn = event.target.closest("svg.fleet");
  if (!drawn) return null;
  const element = drawn.parentElement;
  const columns = +element.dataset.columns;
  const box = drawn.getBoundingClientRect();
  const pitch = box.width / columns;
  const place = Math.floor((event.clientY - box.top) / pitch) * columns + Math.floor((event.clientX - box.left) / pitch);
  return place >= 0 && place < +element.dataset.size ? { element, place } : null;
}

function tip() {
  let tag = document.getElementById("tip");
  if (!tag) {
    tag = Object.assign(document.createElement("div"), { id: "tip", hidden: true, ariaHidden: "true" });
    document.body.append(tag);
  }
  return tag;
}

document.addEventListener("pointermove", (event) => {
  const cell = under(event);
  const tag = cell || document.getElementById("tip") ? tip() : null;
  if (!tag) return;
  tag.hidden = !cell;
  if (!cell) return;
  names ??= read(true).catch(() => { names = null; });
  names.then((known) => {
    tag.textContent = known?.blocks[blocks().indexOf(cell.element)]?.names[cell.place] ?? "";
    tag.style.left = `${Math.min(event.clientX + 12, innerWidth - tag.offsetWidth - 8)}px`;
    tag.style.top = `${event.clientY + 14}px`;
  });
});

document.addEventListener("click", async (event) => {
  const cell = under(event);
  if (!cell) return;
  const known = await read();
  const { ids } = known.blocks[blocks().indexOf(cell.element)];
  location.assign(`/fleet/${ids.slice(cell.place * known.length, (cell.place + 1) * known.length)}`);
});

document.addEventListener("cp:drawn", () => { names = null; });

// ---- all boxes of a list ----------------------------------------------------------------------------

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-checks]")) return;
  for (const box of document.querySelectorAll(`input[name="${event.target.dataset.checks}"]`)) box.checked = event.target.checked;
});

// So that the first event finds the cells known; not in the way of the page itself.
if (blocks().length) (window.requestIdleCallback ?? ((work) => setTimeout(work, 1_000)))(() => setTimeout(() => {
  if (!cells) reading ??= learn().catch(() => {}).finally(() => { reading = null; });
}, 2_000));
