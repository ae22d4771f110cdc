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

// A date field is filled in the reader's zone; what is sent names the moment, wherever Alight runs.
function zoned(field) {
  const sent = document.createElement("input");
  sent.type = "hidden";
  sent.name = field.name;
  field.removeAttribute("name");
  field.after(sent);
  const known = new Date(field.dataset.moment);
  if (!isNaN(known)) {
    field.value = new Date(known - known.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
    sent.value = known.toISOString();
  }
  field.addEventListener("change", () => { sent.value = field.value ? new Date(field.value).toISOString() : ""; });
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

// A log as it is written: new lines at the end, and the end stays in sight while the reader is there.
function tail(list) {
  const source = new EventSource(list.dataset.log);
  source.onmessage = (event) => {
    const { when, text, story } = JSON.parse(event.data);
    const item = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = new Date(when * 1000).toLocaleTimeString(undefined, { hour12: false });
    const line = document.createElement("code");
    line.textContent = text;
    item.append(time, line);
    item.dataset.story = story;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(item);
    while (list.children.length > 1000) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
  addEventListener("pagehide", () => source.close());
}

// A chart: {"names", "columns"} from its address, drawn in the colours of the theme.
async function draw(figure) {
  const answer = await fetch(figure.dataset.chart);
  if (!answer.ok) return;
  const { names, columns } = await answer.json();
  const style = getComputedStyle(document.documentElement);
  const colours = ["--ember", "--good", "--warn", "--bad"].map((name) => style.getPropertyValue(name));
  const muted = style.getPropertyValue("--pico-muted-color");
  const axis = { stroke: muted, grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
  const label = document.createElement("p");
  if (columns.slice(1).every((column) => column.every((value) => value === null))) {
    label.className = "muted";
    label.textContent = "Nothing was measured yet.";
    figure.append(label);
    return;
  }
  const holder = document.createElement("div");
  figure.append(holder);
  const options = {
    width: holder.clientWidth,
    height: 150,
    series: [{}, ...names.map((name, place) => ({ label: name, stroke: colours[place], width: 2, spanGaps: true, points: { size: 4 } }))],
    axes: [axis, { ...axis, size: 46 }],
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high || 1] } },
  };
  const plot = new uPlot(options, columns, holder);
  new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: 150 })).observe(holder);
}

document.addEventListener("change", (event) => {
  const sample = event.target.closest("[data-sample]");
  if (sample) {
    const text = sample.form.querySelector(`template[data-named="${sample.value}"]`).content.textContent;
    document.querySelector(sample.dataset.sample).value = text;
  }
  const choice = event.target.closest("[data-shows]");
  if (choice) choose(choice);
});

// Files that are dropped or chosen go up one after another, each with its progress.
function uploads(place) {
  const list = place.querySelector(".uploads");
  const field = place.querySelector("input[type=file]");
  const all = async (files) => {
    let sent = 0;
    for (const file of files) sent += await upload(place, list, file);
    if (sent) tell(`${sent} of ${files.length} uploaded.`);
    if (sent === files.length) setTimeout(() => location.reload(), 600);
  };
  field.addEventListener("change", () => all([...field.files]));
  for (const name of ["dragenter", "dragover"]) place.addEventListener(name, (event) => { event.preventDefault(); place.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) place.addEventListener(name, (event) => { event.preventDefault(); place.classList.remove("over"); });
  place.addEventListener("drop", (event) => all([...event.dataTransfer.files]));
}

function upload(place, list, file) {
  const item = document.createElement("li");
  const bar = document.createElement("progress");
  const said = document.createElement("small");
  bar.max = file.size || 1;
  bar.value = 0;
  item.append(file.name, bar, said);
  list.append(item);
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    const key = place.dataset.prefix + file.name;
    request.open("PUT", `${place.dataset.drop}?key=${encodeURIComponent(key)}`);
    request.setRequestHeader("X-CSRF-Token", token());
    request.setRequestHeader("Content-Type", file.type || "binary/octet-stream");
    request.upload.onprogress = (event) => { bar.value = event.loaded; };
    request.onload = () => {
      const well = request.status === 201;
      said.textContent = well ? "uploaded" : request.responseText;
      bar.value = well ? bar.max : 0;
      done(well ? 1 : 0);
    };
    request.onerror = () => { said.textContent = "Alight does not answer."; done(0); };
    request.send(file);
  });
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-link]");
  if (link) {
    const answer = await fetch(link.dataset.link);
    if (!answer.ok) { tell(await answer.text()); return; }
    const { url } = await answer.json();
    try { await navigator.clipboard.writeText(url); tell("Copied."); } catch { tell(url); }
  }
  const all = event.target.closest("[data-all]");
  if (all) for (const one of all.form.querySelectorAll(`input[name=${all.dataset.all || "key"}]`)) one.checked = all.checked;
});

// A model is asked with a file or a text as it is; the answer is a piece of a page, made by the console.
async function attempt(form) {
  const into = document.querySelector(form.dataset.into);
  const file = form.elements.file.files[0];
  const body = file || form.elements.text.value;
  const answer = await fetch(form.dataset.try, {
    method: "POST", body, headers: { "X-CSRF-Token": token(), "Content-Type": form.elements.type.value },
  });
  const text = await answer.text();
  if (answer.ok) into.innerHTML = text; else show(into, text);
}

// An API is called as any page would call it; what it says is shown as text.
async function call(form) {
  const into = document.querySelector(form.dataset.into);
  const { method, base, path, body } = form.elements;
  const started = performance.now();
  const options = { method: method.value, credentials: "omit" };
  if (body.value && method.value !== "GET") options.body = body.value;
  try {
    const answer = await fetch(base.value + path.value, options);
    const text = await answer.text();
    show(into, `${answer.status} in ${Math.round(performance.now() - started)} ms\n${text}`);
  } catch { show(into, "There was no answer that this page may read."); }
}

function show(into, text) {
  const said = document.createElement("pre");
  said.textContent = text;
  into.replaceChildren(said);
}

// A package goes up; then there is an endpoint.
async function bring(form) {
  const { name, role, bucket, file } = form.elements;
  const query = new URLSearchParams({ name: name.value, role: role.value, bucket: bucket.value });
  const options = { method: "PUT", body: file.files[0], headers: { "X-CSRF-Token": token() } };
  const answer = await fetch(`${form.dataset.package}?${query}`, options);
  const text = await answer.text();
  if (answer.ok) location.assign(`${form.dataset.package.replace(/\/endpoints$/, "")}${text}`); else tell(text);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const work = form.matches("[data-try]") ? attempt : form.matches("[data-call]") ? call : form.matches("[data-package]") ? bring : null;
  if (!work) return;
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  button.setAttribute("aria-busy", "true");
  try { await work(form); } finally { button.removeAttribute("aria-busy"); }
});

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form && form.matches("[data-try]") && event.target.name === "file" && event.target.files[0]) {
    form.elements.type.value = event.target.files[0].type.startsWith("image/") ? "application/x-image" : event.target.files[0].type || "text/csv";
  }
});

function choose(choice) {
  for (const one of choice.form.querySelectorAll("[data-of]")) one.hidden = one.dataset.of !== choice.value;
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
for (const field of document.querySelectorAll("[data-moment]")) zoned(field);
for (const list of document.querySelectorAll(".phone ol")) list.scrollTop = list.scrollHeight;
for (const list of document.querySelectorAll("[data-stream]")) follow(list);
for (const form of document.querySelectorAll("[data-send-now]")) form.submit();
for (const list of document.querySelectorAll("[data-log]")) tail(list);
for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
for (const choice of document.querySelectorAll("[data-shows]")) choose(choice);
for (const place of document.querySelectorAll("[data-drop]")) uploads(place);
