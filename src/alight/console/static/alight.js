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
    // Lines of one story are milliseconds apart, and of one day.
    time.textContent = time.closest(".fine")
      ? when.toLocaleTimeString(undefined, { hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 })
      : when.toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
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

// New rows stand where their time says; a look of the server is drawn in one frame. Old ones leave at the bottom, so that
// the page stays light. Nothing is drawn, or asked for, while the reader looks elsewhere or has stopped the list.
function follow(list) {
  const kept = 100;
  const line = document.getElementById("line");
  const pause = document.getElementById("pause");
  const more = document.getElementById("more");
  let source = null;
  let before = false;
  let uncounted = 0;
  let last = Promise.resolve();
  const say = (state, text) => { line.dataset.state = state; line.textContent = text; };
  const put = (row) => {
    const known = document.getElementById(row.id);
    if (known) { known.replaceWith(row); return; }
    let next = list.firstElementChild;
    while (next && Number(next.dataset.when) > Number(row.dataset.when)) next = next.nextElementSibling;
    if (next || list.children.length < kept) list.insertBefore(row, next);
  };
  const draw = (rows, { gone, more: many }) => {
    for (const id of gone) document.getElementById(`story-${id}`)?.remove();
    for (const row of rows) put(row);
    while (list.children.length > kept) list.lastElementChild.remove();
    if (rows.length) document.getElementById("nothing")?.remove();
    uncounted += many;
    if (many) { more.hidden = false; more.querySelector("b").textContent = uncounted; }
  };
  // Rows wait for their pictures, for so long at most: one frame then shows them all.
  const take = async (look) => {
    const template = document.createElement("template");
    template.innerHTML = look.rows.map((row) => row.html).join("");
    const rows = [...document.importNode(template.content, true).children];
    for (const row of rows) localTimes(row);
    const pictures = rows.flatMap((row) => [...row.querySelectorAll("img")]);
    for (const picture of pictures) picture.loading = "eager";
    const seen = Promise.allSettled(pictures.map((picture) => picture.decode()));
    await Promise.race([seen, new Promise((done) => setTimeout(done, 700))]);
    requestAnimationFrame(() => draw(rows, look));
  };
  // What was missed while nobody listened is asked for at once, as the page itself is.
  const renew = async () => {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    list.replaceChildren(...page.getElementById("stories").children);
    if (list.children.length) document.getElementById("nothing")?.remove();
    localTimes(list);
    more.hidden = true;
    uncounted = 0;
  };
  const listen = () => {
    source = new EventSource(list.dataset.stream + location.search);
    source.onopen = () => { say("open", "live"); if (before) renew(); before = true; };
    source.onerror = () => say("closed", "not connected, trying again");
    source.onmessage = (event) => { last = last.then(() => take(JSON.parse(event.data))); };
  };
  const stop = () => { source?.close(); source = null; };
  const isStopped = () => pause.getAttribute("aria-pressed") === "true";
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!isStopped()));
    pause.textContent = isStopped() ? "Go on" : "Pause";
    if (isStopped()) { stop(); say("paused", "paused"); } else listen();
  });
  more.querySelector("button").addEventListener("click", renew);
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else if (!source && !isStopped()) listen(); });
  addEventListener("pagehide", stop);
  listen();
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

// Few values are no line: they are drawn as points, too.
const sparse = (column) => column.filter((value) => value !== null).length < 40;

// A chart: {"names", "columns"} from its address, drawn in the colours of the theme, and anew when that changes.
async function chart(figure) {
  const answer = await fetch(figure.dataset.chart);
  if (!answer.ok) return;
  const { names, columns } = await answer.json();
  const first = columns[0].findIndex((_, place) => columns.slice(1).some((column) => column[place] !== null));
  if (first < 0) {
    const label = document.createElement("p");
    label.className = "muted";
    label.textContent = "Nothing was measured yet.";
    figure.append(label);
    return;
  }
  // The axis begins where there is something to see, and is a quarter of an hour long at least.
  const from = Math.max(0, Math.min(first - 1, columns[0].length - 15));
  const holder = document.createElement("div");
  figure.append(holder);
  let plot = draw(holder, names, columns.map((column) => column.slice(from)));
  new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: 150 })).observe(holder);
  recoloured.push(() => { plot.destroy(); plot = draw(holder, names, columns.map((column) => column.slice(from))); });
}

const recoloured = [];
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const again of recoloured) again(); });

function draw(holder, names, columns) {
  const style = getComputedStyle(document.documentElement);
  const colours = ["--ember", "--good", "--warn", "--bad"].map((name) => style.getPropertyValue(name));
  const axis = { stroke: style.getPropertyValue("--pico-muted-color"), grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
  const options = {
    width: holder.clientWidth,
    height: 150,
    series: [{}, ...names.map((name, place) => ({ label: name, stroke: colours[place], width: 2, spanGaps: true, points: { size: 8, fill: colours[place], show: sparse(columns[place + 1]) } }))],
    axes: [axis, { ...axis, size: 46 }],
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high * 1.1 || 1] } },
    padding: [8, 26, 0, 0],
  };
  return new uPlot(options, columns, holder);
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

// A phone shows each value behind its column's name.
function columns(table) {
  const names = [...table.querySelectorAll("thead th")].map((one) => one.textContent);
  for (const cell of table.querySelectorAll("tbody td")) cell.dataset.column = cell.colSpan > 1 ? "" : names[cell.cellIndex] || "";
}

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
  dropped(place, (files) => all([...files]));
}

// What is dropped on a place.
function dropped(place, take) {
  for (const name of ["dragenter", "dragover"]) place.addEventListener(name, (event) => { event.preventDefault(); place.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) place.addEventListener(name, (event) => { event.preventDefault(); place.classList.remove("over"); });
  place.addEventListener("drop", (event) => take(event.dataTransfer.files));
}

// One file, as if it had been chosen.
function chosen(place) {
  const field = place.querySelector("input[type=file]");
  dropped(place, (files) => { field.files = files; field.dispatchEvent(new Event("change", { bubbles: true })); });
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
    // One slash between them: the stage that needs no name has its own already.
    const below = path.value.replace(/^\//, "");
    const answer = await fetch(below ? `${base.value.replace(/\/$/, "")}/${below}` : base.value, options);
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
  // Said before a package of many megabytes goes up.
  const allowed = await fetch(`${form.dataset.package}-allowed?${query}`);
  if (!allowed.ok) { tell(await allowed.text()); return; }
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
    const shown = document.querySelector(copying.dataset.copy);
    try { await navigator.clipboard.writeText(shown.textContent); tell("Copied."); } catch {
      // A browser lets pages copy over https and on the machine itself only: then it is shown and chosen.
      for (let folded = shown.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
      getSelection().selectAllChildren(shown);
      shown.scrollIntoView({ block: "nearest" });
      tell("The browser does not let this page copy: it is chosen, press Ctrl+C.");
    }
  }
  if (event.target.closest("[data-theme-switch]")) {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    for (const again of recoloured) again();
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
for (const figure of document.querySelectorAll("[data-chart]")) chart(figure);
for (const table of document.querySelectorAll(".wide table")) columns(table);
for (const choice of document.querySelectorAll("[data-shows]")) choose(choice);
for (const place of document.querySelectorAll("[data-drop]")) uploads(place);
for (const place of document.querySelectorAll("[data-drop-here]")) chosen(place);
