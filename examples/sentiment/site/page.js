"use strict";

(() => {
  const SECONDS = 35; // a little longer than the API itself waits for its function
  const at = (id) => document.getElementById(id);
  const form = at("form"), review = at("review"), detail = at("detail"), submit = at("submit"), api = at("api");
  const result = at("result"), error = at("error");

  const given = new URLSearchParams(location.search).get("api") || window.SENTIMENT_API || "";
  api.value = given;
  at("address").open = !given;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  review.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
  });
  for (const button of document.querySelectorAll("[data-try]")) {
    button.addEventListener("click", () => {
      review.value = button.dataset.try;
      send();
    });
  }

  function send() {
    if (submit.disabled) return;
    const address = addressOfApi();
    if (!address) {
      at("address").open = true;
      api.focus();
      return complain("Say where the API is: an address that begins with http:// or https://.");
    }
    if (!review.value.trim()) {
      review.focus();
      return complain("Write a review first.");
    }
    if (detail.checked) address.searchParams.set("detail", "1");
    busy(true);
    // A string as body and no header of our own: the browser sends text/plain and asks no permission beforehand.
    const request = new XMLHttpRequest();
    request.open("POST", address.href, true);
    request.timeout = SECONDS * 1000;
    request.onload = () => { busy(false); answered(request); };
    request.onerror = () => {
      busy(false);
      complain(`The API at ${address.host} could not be reached, or it does not let this page read its answer.`);
    };
    request.ontimeout = () => { busy(false); complain(`The API did not answer within ${SECONDS} seconds.`); };
    request.send(review.value);
  }

  function addressOfApi() {
    try {
      const address = new URL(api.value.trim());
      return address.protocol === "http:" || address.protocol === "https:" ? address : null;
    } catch {
      return null;
    }
  }

  function answered(request) {
    const text = request.responseText;
    if (request.status !== 200) return complain(reasonOf(request.status, text));
    let told = null;
    if ((request.getResponseHeader("Content-Type") || "").startsWith("application/json")) {
      try { told = JSON.parse(text); } catch { /* said below */ }
    } else if (text === "1" || text === "0") {
      told = { label: text === "1" ? "POSITIVE" : "NEGATIVE" };
    }
    if (!told || (told.label !== "POSITIVE" && told.label !== "NEGATIVE")) {
      return complain("The API gave an answer that this page does not understand.");
    }
    show(told);
  }

  function reasonOf(status, text) {
    let reason = text;
    try { reason = JSON.parse(text).message || text; } catch { /* plain text */ }
    reason = String(reason).trim().slice(0, 300);
    if (status === 400) return reason || "The API did not accept this review.";
    if (status === 413) return "This review is too long for the API.";
    return `The API failed (${status}). ${reason}`.trim();
  }

  function show(told) {
    error.hidden = true;
    const positive = told.label === "POSITIVE";
    result.dataset.label = told.label;
    const word = element("strong", told.label);
    at("verdict").replaceChildren("Your review was ", word, "!");
    at("more").hidden = typeof told.probability !== "number";
    if (typeof told.probability === "number") showDetail(told, positive);
    result.hidden = false;
    result.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
  }

  function showDetail(told, positive) {
    const percent = told.probability * 100;
    const sure = positive ? percent : 100 - percent;
    at("fill").style.left = `${Math.min(percent, 50)}%`;
    at("fill").style.width = `${Math.abs(percent - 50)}%`;
    at("meter").setAttribute("aria-valuenow", percent.toFixed(1));
    at("percent").textContent = `${Math.min(sure, 99.9).toFixed(sure < 99 ? 0 : 1)} % sure`;
    const words = Array.isArray(told.words) ? told.words : [];
    const most = Math.max(...words.map((item) => Math.abs(item.contribution)), 1e-9);
    at("words").replaceChildren(...words.map((item) => wordRow(item, most)));
    at("wordshead").hidden = words.length === 0;
    at("note").textContent = noteOn(told, words);
  }

  function wordRow(item, most) {
    const row = element("li");
    const share = Math.abs(item.contribution);
    const up = item.contribution > 0;
    const bar = element("span", "", "bar");
    const inner = element("span", "", up ? "up" : "down");
    inner.style.width = `${(50 * share) / most}%`;
    bar.append(inner);
    bar.setAttribute("aria-hidden", "true");
    const points = `${up ? "+" : "−"}${share.toFixed(2)}`;
    const name = item.count > 1 ? `${item.word} ×${item.count}` : item.word;
    row.append(element("span", name, "word"), bar, element("span", points, "points"));
    return row;
  }

  function noteOn(told, words) {
    if (!told.known) return "The model knows none of these words, so this is what it says of any text.";
    const known = `${told.known} of ${told.total} words are in the model's vocabulary.`;
    if (!words.length) return `No single word moved the answer. ${known}`;
    return `By how much each word moves the answer towards positive (+) or negative (−), in log-odds. ${known}`;
  }

  function complain(text) {
    result.hidden = true;
    error.textContent = text;
    error.hidden = false;
  }

  function busy(on) {
    submit.disabled = on;
    submit.textContent = on ? "Reading …" : "Submit";
    form.setAttribute("aria-busy", String(on));
  }

  function element(tag, text = "", name = "") {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function calm() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
  }
})();
