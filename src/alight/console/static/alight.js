// What the pages do beyond links and forms: new stories, times in the reader's zone, copying, the theme. No library.
"use strict";

const token = () => document.querySelector('meta[name="csrf-token"]').content;

// Every request that changes something carries the session's token.
document.addEventListener("htmx:config:request", (event) => {
  event.detail.ctx.request.headers["X-CSRF-Token"] = token();
});
document.addEventListener("htmx:response:error", (event) => tellResponse(event.detail.ctx));
document.addEventListener("htmx:error", () => tell("Alight does not answer."));

async function tellResponse(ctx) {
  tell(ctx.text || `It was refused (${ctx.response ? ctx.response.status : "no answer"}).`);
}

function tell(text) {
  const said = document.getElementById("said");
  said.textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { said.textContent = ""; }, 8000);
}

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const when = new Date(time.dateTime);
    time.title = time.textContent;
    time.textContent = when.toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
    time.dataset.local = "";
  }
}

// New rows are gathered and drawn once a frame; old ones leave at the bottom, so that the page stays light.
function follow(list) {
  const kept = 200;
  const line = document.getElementById("line");
  const waiting = new Map();
  let drawing = false;
  const say = (state, text) => { if (line) { line.dataset.state = state; line.textContent = text; } };
  const draw = () => {
    drawing = false;
    for (const [id, html] of waiting) {
      const template = document.createElement("template");
      template.innerHTML = html;
      const row = template.content.firstElementChild;
      localTimes(template.content);
      const known = document.getElementById(`story-${id}`);
      if (known) { row.classList.remove("fresh"); known.replaceWith(row); } else { list.prepend(row); }
    }
    waiting.clear();
    document.getElementById("nothing")?.remove();
    while (list.children.length > kept) list.lastElementChild.remove();
  };
  const source = new EventSource(list.dataset.stream + location.search);
  source.onopen = () => say("open", "live");
  source.onerror = () => say("closed", "not connected, trying again");
  source.onmessage = (event) => {
    const { id, html } = JSON.parse(event.data);
    waiting.delete(id);
    waiting.set(id, html);
    if (!drawing) { drawing = true; requestAnimationFrame(draw); }
  };
  addEventListener("pagehide", () => source.close());
}

document.addEventListener("click", async (event) => {
  const copying = event.target.closest("[data-copy]");
  if (copying) {
    const text = document.querySelector(copying.dataset.copy).textContent;
    try { await navigator.clipboard.writeText(text); tell("Copied."); } catch { tell("The browser does not let this page copy."); }
  }
  if (event.target.closest("[data-theme-switch]")) {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  }
});

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
localTimes(document);
document.addEventListener("htmx:after:swap", () => localTimes(document));
for (const list of document.querySelectorAll("[data-stream]")) follow(list);
for (const form of document.querySelectorAll("[data-send-now]")) form.submit();
