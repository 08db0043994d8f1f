// What a page can do beyond reading: renew itself as events come in, check a document while it is written, follow a log.
// Everything works without it, only not by itself.
const $ = (id) => document.getElementById(id);
const csrf = document.body.dataset.csrf;

/* --- one page becomes the next, node by node: what has the focus, is open or was scrolled stays so ------------------ */
const KEEP = new Set(["INPUT", "TEXTAREA", "SELECT"]);
const key = (node) => (node.nodeType === 1 ? node.id || null : null);

function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || key(from) !== key(to)) {
    from.replaceWith(to.cloneNode(true));
    return;
  }
  if (from.nodeType !== 1) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !(name === "open" && from.nodeName === "DETAILS")) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !(KEEP.has(from.nodeName) && name !== "aria-invalid")) from.setAttribute(name, value);
  }
  if (!KEEP.has(from.nodeName)) children(from, to);
}

function children(from, to) {
  const named = new Map();
  for (const child of from.childNodes) if (key(child)) named.set(child.id, child);
  let here = from.firstChild;
  for (const next of to.childNodes) {
    const same = key(next) && named.get(next.id);
    if (same) {
      if (same !== here) from.insertBefore(same, here);
      else here = here.nextSibling;
      morph(same, next);
    } else if (here && !key(here) && !key(next) && here.nodeName === next.nodeName) {
      const after = here.nextSibling;
      morph(here, next);
      here = after;
    } else {
      from.insertBefore(next.cloneNode(true), here);
    }
  }
  while (here) {
    const after = here.nextSibling;
    here.remove();
    here = after;
  }
}

/* --- live ---------------------------------------------------------------------------------------------------------- */
const live = $("live");
let seen = Number(document.body.dataset.seq);
let source, lost, timer, silence;
let busy = false;
let again = false;
let last = 0;
let pause = 150;

function say(text, isLost) {
  if (!live) return;
  live.hidden = false;
  live.classList.toggle("lost", isLost);
  if (live.textContent !== text) live.textContent = text;
}

// A page that is busy is renewed no more often than it can be: what came meanwhile comes with the next.
async function renew() {
  timer = undefined;
  if (busy) { again = true; return; }
  busy = true;
  const begun = performance.now();
  try {
    const response = await fetch(location.href, { headers: { "x-renew": "1", accept: "text/html" }, cache: "no-store" });
    if (response.status === 401) { location.reload(); return; }
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const main = page.getElementById("main");
    if (main && response.status < 500) {
      const focus = document.activeElement;
      children($("main"), main);
      if (document.title !== page.title) document.title = page.title;
      if (focus && focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
      tick();
      document.dispatchEvent(new Event("renewed"));
    }
  } catch { /* the stream says that the server is away */ }
  last = performance.now();
  pause = Math.min(10000, Math.max(150, (last - begun) * 4));
  busy = false;
  if (again) { again = false; soon(); }
}

function soon() {
  timer ??= setTimeout(renew, Math.max(60, last + pause - performance.now()));
}

// What concerns a page of one stack: its own events, and those of hosts, which its tasks may wait for. Tasks know a stack by its id,
// which may be anything; the address, or what runs of it, by its name.
const stack = location.pathname.match(/^\/web\/stacks\/([^/]+)$/);
const name = stack && decodeURIComponent(stack[1]).replace(/^stack:/, "");
function concerns(text) {
  const id = document.querySelector("[data-stack]")?.dataset.stack;
  return !name || text.includes(name) || (id && text.includes(id)) || text.includes('"type":"host_');
}

function listen() {
  source?.close();
  source = new EventSource(`/web/stream?after=${seen}`);
  source.onopen = () => {
    say("Live", false);
    if (lost) { lost = false; soon(); }
  };
  source.onmessage = (event) => {
    seen = Math.max(seen, Number(event.lastEventId) || 0);
    if (concerns(event.data)) soon();
  };
  source.onerror = () => {
    lost = true;
    say("Connection lost, trying again…", true);
    // Refused for good (the session is over, or what was missed is gone): the page itself knows what to do.
    if (source.readyState === EventSource.CLOSED) {
      source = undefined;
      setTimeout(async () => { await renew(); if (!source && !document.hidden) listen(); }, 3000);
    }
  };
}

if (document.body.dataset.seq !== undefined) {
  listen();
  // A hidden page takes none of the few connections that a browser has for a server.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(silence);
    if (document.hidden) silence = setTimeout(() => { source?.close(); source = undefined; }, 15000);
    else if (!source) { listen(); soon(); }
  });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) { listen(); soon(); } });
}

/* --- moments go by -------------------------------------------------------------------------------------------------- */
function span(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(seconds / 3600), days = Math.floor(seconds / 86400);
  if (days >= 2) return `${days}d`;
  if (hours) return minutes % 60 ? `${hours}h ${minutes % 60}m` : `${hours}h`;
  return minutes ? `${minutes}m` : `${seconds}s`;
}
// The server's clock counts: what it wrote first tells how far ours is off.
let ahead;
function tick() {
  for (const time of document.querySelectorAll("time")) {
    const at = Date.parse(time.dateTime);
    if (ahead === undefined) {
      const told = time.textContent.match(/^(\d+)s ago$/);
      if (told) ahead = Date.now() - at - told[1] * 1000;
    }
    const seconds = Math.floor((Date.now() - (ahead ?? 0) - at) / 1000);
    const text = time.dataset.at !== undefined ? new Date(at).toLocaleString() : time.dataset.for !== undefined ? `for ${span(Math.max(0, seconds))}` : seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`;
    if (time.textContent !== text) time.textContent = text;
    const title = new Date(at).toLocaleString();
    if (time.title !== title) time.title = title;
  }
}
tick();
// On a narrow screen the menu is longer than the screen.
document.querySelector(".side [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
setInterval(() => { if (!document.hidden) tick(); }, 5000);

/* --- the picture ---------------------------------------------------------------------------------------------------- */
document.addEventListener("click", (event) => {
  const node = event.target.closest?.("[data-goto]");
  const row = node && $(node.dataset.goto);
  if (!row) return;
  document.querySelectorAll("tr.found").forEach((other) => other.classList.remove("found"));
  row.classList.add("found");
  row.scrollIntoView({ block: "center", behavior: "smooth" });
});
document.addEventListener("pointerover", (event) => {
  const node = event.target.closest?.(".node");
  const picture = event.target.closest?.(".picture");
  for (const line of document.querySelectorAll(".lines .hot")) line.classList.remove("hot");
  if (!node) return;
  const number = node.dataset.node;
  for (const line of picture.querySelectorAll(`[data-from="${number}"], [data-to="${number}"]`)) line.classList.add("hot");
});

/* --- deploying ------------------------------------------------------------------------------------------------------ */
const form = $("deploy");
if (form) {
  const text = $("document"), result = $("check"), gutter = document.createElement("pre");
  let wait, running, lines = 0;
  let marked = new Set();
  gutter.className = "gutter";
  gutter.setAttribute("aria-hidden", "true");
  text.parentElement.classList.add("numbered");
  text.before(gutter);
  $("pick").hidden = false;
  $("check-button").hidden = true;

  const number = () => {
    const count = Math.min(20000, text.value.split("\n").length);
    const wrong = new Set([...result.querySelectorAll("li.bad [data-line]")].map((link) => Number(link.dataset.line)));
    if (count === lines && wrong.size === marked.size && [...wrong].every((line) => marked.has(line))) return;
    [lines, marked] = [count, wrong];
    const parts = [];
    let plain = "";
    for (let line = 1; line <= count; line++) {
      if (wrong.has(line)) {
        const mark = document.createElement("b");
        mark.textContent = line;
        parts.push(plain, mark, "\n");
        plain = "";
      } else plain += `${line}\n`;
    }
    gutter.replaceChildren(...parts, plain);
    gutter.scrollTop = text.scrollTop;
  };
  const check = async () => {
    running?.abort();
    running = new AbortController();
    const mine = running;
    result.classList.add("busy");
    result.setAttribute("aria-busy", "true");
    try {
      const response = await fetch("/web/stacks/check", {
        method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "x-csrf-token": csrf }, signal: mine.signal,
      });
      if (response.status === 401) { result.textContent = "The session has ended. Log in in another tab, then go on here."; return; }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const main = page.getElementById("main");
      children(result, main || page.body);
    } catch (error) {
      if (error.name !== "AbortError") result.textContent = "The server does not answer. It is asked again when you write on.";
    } finally {
      if (mine === running) {
        result.classList.remove("busy");
        result.removeAttribute("aria-busy");
        number();
      }
    }
  };
  const later = () => { number(); clearTimeout(wait); wait = setTimeout(check, 350); };
  form.addEventListener("input", later);
  text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    event.submitter.textContent = "Deploying…";
  });
  addEventListener("pageshow", () => { delete form.dataset.sent; form.querySelector("[value=deploy]").textContent = "Deploy"; });
  result.addEventListener("click", (event) => {
    const link = event.target.closest("[data-line]");
    if (!link) return;
    event.preventDefault();
    const before = text.value.split("\n").slice(0, link.dataset.line - 1);
    const start = before.join("\n").length + (before.length ? 1 : 0) + Number(link.dataset.column) - 1;
    text.focus();
    text.setSelectionRange(start, start + Math.max(1, Number(link.dataset.length)));
    text.scrollTop = (link.dataset.line - 6) * parseFloat(getComputedStyle(text).lineHeight);
  });
  const take = async (file) => {
    if (!file) return;
    if (file.size > 8 * 1024 * 1024) { result.textContent = "A document has at most 8 MiB."; return; }
    text.value = await file.text();
    later();
  };
  $("file").addEventListener("change", (event) => take(event.target.files[0]));
  for (const kind of ["dragover", "dragenter"]) {
    form.addEventListener(kind, (event) => { event.preventDefault(); form.classList.add("over"); });
  }
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    form.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) { event.preventDefault(); take(file); }
  });
  number();
  if (text.value.trim() && !result.querySelector(".verdict, .findings, .banner")) check();
}

/* --- a log ---------------------------------------------------------------------------------------------------------- */
const log = $("log");
if (log) {
  const MOST = 5000;
  const state = $("log-state"), follow = $("log-follow"), times = $("log-times");
  $("log-tools").hidden = false;
  // The time of the last line, and how many lines of that very time there were: a log is taken up where it broke off.
  let time = "", same = 0;
  log.classList.add("no-times");
  times.addEventListener("change", () => log.classList.toggle("no-times", !times.checked));
  const put = (line) => {
    const [at] = line.split(" ", 1);
    const piece = document.createElement("span");
    const when = document.createElement("b");
    when.textContent = `${at} `;
    piece.append(when, `${line.slice(at.length + 1)}\n`);
    log.append(piece);
    if (at === time) same++;
    else [time, same] = [at, 1];
    if (log.childNodes.length > MOST) log.firstChild.remove();
  };
  const read = async () => {
    let skip = same;
    const from = time;
    const where = from ? `since=${encodeURIComponent(from)}` : "tail=200";
    const response = await fetch(`${log.dataset.source}?${where}`, { headers: { "x-renew": "1" } });
    if (!response.ok) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      throw new Error(page.querySelector(".lead")?.textContent || `the server answers ${response.status}`);
    }
    state.textContent = "Live: what it writes appears as it comes.";
    if (!from) log.replaceChildren();
    const lines = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await lines.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const line of parts) {
        if (skip > 0 && line.startsWith(from)) { skip--; continue; }
        put(line);
      }
      if (follow.checked) log.scrollTop = log.scrollHeight;
    }
  };
  const on = async () => {
    for (let tries = 0; ; tries++) {
      try {
        const begun = performance.now();
        await read();
        state.textContent = "It has ended. Looking whether it goes on…";
        if (performance.now() - begun > 5000) tries = 0;
      } catch (error) {
        state.textContent = `The log broke off: ${error.message}. Trying again…`;
      }
      await new Promise((go) => setTimeout(go, Math.min(15000, 1000 * 2 ** Math.min(tries, 4))));
    }
  };
  log.scrollTop = log.scrollHeight;
  on();
}

/* --- copying -------------------------------------------------------------------------------------------------------- */
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText($(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}
