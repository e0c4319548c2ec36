// What makes pages live: times in the reader's zone, the stream of events, keys. Pages work without it.
"use strict";

const events = ["target", "alert", "notification", "silence", "rules", "config", "incident"];

// ---- times ------------------------------------------------------------------------------------

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const steps = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

function showTimes(root) {
  for (const each of root.querySelectorAll("time[data-show]")) {
    const instant = new Date(each.dateTime);
    each.title = `${exact.format(instant)} (${each.dateTime})`;
    if (each.dataset.show === "exact") {
      each.textContent = exact.format(instant);
      continue;
    }
    const seconds = (instant - Date.now()) / 1000;
    const [size, unit] = steps.find(([size]) => Math.abs(seconds) >= size) ?? steps.at(-1);
    each.textContent = relative.format(Math.trunc(seconds / size), unit);
  }
}

// ---- what happens -----------------------------------------------------------------------------

// Each event becomes `cp:<kind>` on the body; parts of a page ask for themselves anew by hx-trigger.
function listen() {
  const link = document.getElementById("link");
  const source = new EventSource(`/api/v1/stream?after=${encodeURIComponent(document.body.dataset.position)}`);
  source.onopen = () => {
    link.hidden = false;
    link.classList.remove("lost");
    link.textContent = link.dataset.live;
  };
  source.onerror = () => {
    if (!link.classList.contains("lost")) {
      link.hidden = false;
      link.classList.add("lost");
      link.textContent = `${link.dataset.lost} ${new Date().toLocaleTimeString()}`;
    }
  };
  for (const kind of events) {
    source.addEventListener(kind, (event) => tell(kind, JSON.parse(event.data)));
  }
  source.addEventListener("reset", () => events.forEach((kind) => tell(kind, { subject: "" })));
  window.addEventListener("pagehide", () => source.close());
}

function tell(kind, detail) {
  document.body.dispatchEvent(new CustomEvent(`cp:${kind}`, { detail }));
}

// ---- keys -------------------------------------------------------------------------------------

const places = { o: "/", t: "/targets", a: "/alerts", s: "/silences", r: "/rules", q: "/query", c: "/receivers", p: "/autoscaling", j: "/jobs", y: "/system" };
let went = 0;

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog[open]")) {
    if (event.key === "Escape") event.target.blur?.();
    return;
  }
  const after = Date.now() - went < 1500;
  went = 0;
  if (after && places[event.key]) location.assign(places[event.key]);
  else if (event.key === "g") went = Date.now();
  else if (event.key === "/") document.getElementById("search").focus();
  else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "Enter") document.querySelector(".at a[href]")?.click();
  else if (event.key === "?") help();
  else return;
  if (event.key !== "Enter" || event.target === document.body) event.preventDefault();
}

function move(by) {
  const rows = [...document.querySelectorAll("[data-rows] > *")].filter((row) => row.querySelector("a[href]"));
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("at"));
  rows[at]?.classList.remove("at");
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  next.classList.add("at");
  next.querySelector("a[href]").focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function help() {
  let dialog = document.getElementById("keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.id = "keys";
    const list = document.createElement("dl");
    list.className = "facts";
    const links = Object.entries(places).map(([key, path]) => [`g ${key}`, document.querySelector(`nav a[href="${path}"]`)?.textContent ?? path]);
    for (const [keys, meaning] of [["/", "⌕"], ["j  k", "↓  ↑"], ["Enter", "→"], ...links]) {
      const term = list.appendChild(document.createElement("dt"));
      term.appendChild(document.createElement("kbd")).textContent = keys;
      list.appendChild(document.createElement("dd")).textContent = meaning;
    }
    dialog.append(list);
    dialog.addEventListener("click", () => dialog.close());
    document.body.append(dialog);
  }
  dialog.showModal();
}

// ---- the rest ---------------------------------------------------------------------------------

document.addEventListener("keydown", onKey);
// Times that are typed in mean the reader's zone, unless another one was chosen.
for (const each of document.querySelectorAll("input[data-zone]")) {
  each.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone;
}
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});
// What a reader has unfolded stays so when its part is read anew.
const unfolded = new Map();
document.addEventListener("click", (event) => {
  const details = event.target.closest?.("summary")?.parentElement;
  if (details?.id) unfolded.set(details.id, !details.open);
});
function unfold() {
  for (const [id, open] of unfolded) {
    const details = document.getElementById(id);
    if (details) details.open = open;
  }
}
for (const name of ["htmx:after:swap", "htmx:afterSwap"]) {
  document.addEventListener(name, () => {
    unfold();
    showTimes(document);
    document.dispatchEvent(new Event("cp:drawn"));
  });
}
showTimes(document);
setInterval(() => showTimes(document), 10_000);
if (window.EventSource && document.body.dataset.position) listen();
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});
