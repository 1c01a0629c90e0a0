// Keep the inbox current: ask for the newest id, and fetch the page again when it has changed.
"use strict";

const live = document.getElementById("inbox-live");
let shown = null;

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(live.dataset.url);
  if (!answer.ok) throw new Error(answer.status);
  const { newest } = await answer.json();
  if (shown !== null && newest !== shown) await fetchList();
  shown = newest;
}

async function fetchList() {
  const html = await (await fetch(location.href)).text();
  const page = new DOMParser().parseFromString(html, "text/html");
  const known = new Set([...document.querySelectorAll("#result_list th a")].map((a) => a.href));
  const list = document.getElementById("changelist-form");
  list.replaceWith(document.importNode(page.getElementById("changelist-form"), true));
  for (const link of document.querySelectorAll("#result_list th a")) {
    if (!known.has(link.href)) link.closest("tr").classList.add("inbox-new");
  }
}

async function loop() {
  try {
    await refresh();
    live.classList.remove("lost");
  } catch {
    live.classList.add("lost");
  }
  setTimeout(loop, 1500);
}

loop();
