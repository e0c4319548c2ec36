// Keeps the last overview that was seen, so that it can be read when we cannot be reached.
"use strict";

const CACHE = "controlplane-1";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (event.request.mode === "navigate" && url.pathname === "/") event.respondWith(overview(event.request));
  else if (url.pathname.startsWith("/static/")) event.respondWith(file(event.request));
});

async function overview(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) {
      const body = await answer.clone().text();
      await cache.put("/", new Response(body, { headers: headersOf(answer) }));
    }
    return answer;
  } catch (error) {
    const kept = await cache.match("/");
    if (!kept) throw error;
    const age = kept.headers.get("x-kept-at");
    const body = (await kept.text()).replace("<main", `<p class="flash" role="alert">▲ Offline. <time datetime="${age}" data-show="exact">${age}</time></p><main`);
    return new Response(body, { headers: kept.headers });
  }
}

function headersOf(answer) {
  const headers = new Headers({ "content-type": "text/html; charset=utf-8", "x-kept-at": new Date().toISOString() });
  headers.set("content-security-policy", answer.headers.get("content-security-policy") ?? "default-src 'self'");
  return headers;
}

async function file(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}
