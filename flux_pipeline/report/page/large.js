// One picture, large, with everything that is known of it.

const large = make("dialog", { class: "large", "aria-labelledby": "large-name" });
const largeName = make("h2", { id: "large-name", tabindex: -1 });
const place = make("p", { class: "place" });
const stage = make("div", { class: "stage" });
const facts = make("dl", { class: "facts-of" });
const previous = make("button", { type: "button", onclick: () => step("ArrowLeft") }, "← Previous");
const next = make("button", { type: "button", onclick: () => step("ArrowRight") }, "Next →");
const markThis = make("button", { type: "button", onclick: () => toggleMark(view.open) });
const openFile = make("a", { class: "button" }, "Open the file");
const closeLarge = make("button", { type: "button", class: "close", onclick: () => large.close() }, "Close");
large.append(
  make("div", { class: "head" }, largeName, place, closeLarge),
  stage,
  make("div", { class: "side" }, make("div", { class: "actions" }, previous, next, markThis, openFile), facts),
);
document.body.append(large);
const alongside = []; // what else has to know which picture is open

// Return an image of the file itself, and of the thumbnail where the file cannot be shown.
function imageOf(item) {
  const { data } = item;
  const image = make("img", { alt: data.prompt || data.id, src: data.file, class: "full", onerror: () => {
    if (item.image && image.src !== item.image.src) image.src = item.image.src;
  } });
  return image;
}

// An id, a path or a name may break after its commas, slashes and dots and before its capitals, rather than inside its words.
function breakable(text) {
  return text.split(/(?<=[,/._])|(?<=[a-z])(?=[A-Z])/).flatMap((part, at) => (at ? [make("wbr"), part] : [part]));
}

function copyButton(label, text) {
  const button = make("button", { type: "button", class: "copy", "aria-label": `Copy ${label}`, onclick: async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Not copied";
    announceSoon(button.textContent === "Copied" ? `Copied ${label}` : `Could not copy ${label}`);
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  } }, "Copy");
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", { class: "unseen", "aria-hidden": "true" });
    field.value = text;
    (large.open ? large : document.body).append(field);
    const before = document.activeElement;
    field.select();
    const done = document.execCommand("copy"); // for browsers that give files on disk no clipboard
    field.remove();
    before?.focus();
    return done;
  }
}

// What there is to say of a file that is derived of the picture.
function derivedWords({ path, format, size, reason }) {
  return `${path}${reason ? `: ${reason}` : size ? ` (${format}, ${size})` : ""}`;
}

function derivedLinks(data) {
  return data.derived.map((one) => make("span", {}, one.file ? make("a", { href: one.file }, derivedWords(one)) : derivedWords(one), "\n"));
}

const TOLD = new Set(["prompt", "seed", "size"]); // axes that have a line of their own

// What is known of a picture, as [name, text]; a text that is missing is not known.
function known(data) {
  const rest = Object.entries(data.parameters).filter(([name]) => name !== "seed");
  return [
    ["Prompt", data.prompt],
    ["Seed", data.seed],
    ["Size", data.size],
    ["Cost", data.cost],
    ["State", data.state],
    ["Reason", data.reason],
    ...Object.entries(data.axes).filter(([name]) => !TOLD.has(name)).map(([name, value]) => (
      [`${name} (${data.fields.includes(name) ? "field" : "axis"})`, value])),
    ["Parameters", rest.map(([name, value]) => `${name}: ${value}`).join("\n")],
    ["Model", data.model],
    ["Task", data.task],
    ["Path", data.path],
    ["Derived", data.derived.map(derivedWords).join("\n")],
    ["Id", data.id],
    ["Key", data.key],
    ["Manifest", data.manifest],
  ].filter(([, text]) => text !== null && text !== "");
}

const BROKEN_UP = new Set(["Id", "Path", "Manifest"]);
const WIDE = new Set(["Prompt", "Reason"]); // may be long: these have the whole width, and are folded

function factOf(data, name, text) {
  const inside = name === "Derived" ? derivedLinks(data) : BROKEN_UP.has(name) ? breakable(text) : [text];
  const words = make("span", { class: "text" }, ...inside);
  const fact = make("div", { class: "fact" }, make("dt", {}, ...breakable(name)), make("dd", {}, words, copyButton(name, text)));
  if (WIDE.has(name)) {
    fact.classList.add("wide");
    const unfold = make("button", { type: "button", class: "quiet unfold", "aria-expanded": "false", hidden: true, onclick: () => {
      const all = unfold.getAttribute("aria-expanded") === "false";
      unfold.setAttribute("aria-expanded", String(all));
      unfold.textContent = all ? "Show less" : "Show all";
    } }, "Show all");
    words.after(unfold);
    folding.observe(words);
  }
  return fact;
}

// Offer to show all where not all is to be seen, which depends on the width.
const folding = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    const unfold = target.nextElementSibling;
    if (unfold.getAttribute("aria-expanded") === "false") unfold.hidden = target.scrollHeight <= target.clientHeight + 1;
  }
});

function showLarge() {
  const item = view.open;
  if (!item) {
    if (large.open) large.close();
    return;
  }
  const { data } = item;
  largeName.replaceChildren(...breakable(data.id));
  const at = order.indexOf(item);
  place.textContent = at < 0 ? `${counted(order.length, "other")} shown` : `${(at + 1).toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
  previous.disabled = !neighbour(item, "ArrowLeft");
  next.disabled = !neighbour(item, "ArrowRight");
  markThis.hidden = !item.mark;
  markThis.textContent = view.marked.has(item) ? "Marked for compare" : "Mark for compare";
  markThis.setAttribute("aria-pressed", String(view.marked.has(item)));
  openFile.hidden = !data.file;
  if (data.file) openFile.setAttribute("href", data.file);
  if (stage.item !== item) {
    stage.item = item;
    stage.replaceChildren(data.file ? imageOf(item) : item.link.querySelector(".blank").cloneNode(true));
    stage.classList.toggle("bare", !data.file);
    folding.disconnect();
    facts.replaceChildren(...known(data).map(([name, text]) => factOf(data, name, text)));
  }
  for (const tell of alongside) tell(item);
  if (!large.open) {
    large.showModal();
    largeName.focus();
  }
}

function open(item) {
  const first = !view.open;
  view.open = item;
  showLarge();
  if (first) enterLarge();
  else writeAddress();
}

function step(key) {
  const to = view.open && neighbour(view.open, key);
  if (!to) return;
  const button = document.activeElement;
  open(to);
  if (button?.disabled) largeName.focus(); // a button that has just gone out would take the keys with it
}

large.addEventListener("close", () => {
  if (large.open) return; // it was opened again meanwhile
  const item = view.open ?? stage.item;
  view.open = null;
  stage.item = null;
  stage.replaceChildren();
  leaveLarge();
  if (item) focusNear(item);
});
large.addEventListener("click", (event) => {
  if (event.target === large) large.close();
});
