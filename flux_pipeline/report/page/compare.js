// Two pictures or more, side by side, and what they differ in.

const tray = make("aside", { class: "tray", "aria-label": "Marked for compare", hidden: true });
const trayCount = make("p");
const begin = make("button", { type: "button", class: "main", onclick: () => startComparing() }, "Compare");
tray.append(trayCount, begin, make("button", { type: "button", onclick: () => unmarkAll() }, "Clear marks"));
const comparison = make("dialog", { class: "comparison", "aria-labelledby": "comparison-name" });
const comparisonName = make("h2", { id: "comparison-name", tabindex: -1 }, "Compare");
const sideBySide = make("div", { class: "sides", tabindex: 0, role: "region", "aria-label": "The pictures side by side" });
comparison.append(
  make("div", { class: "head" }, comparisonName, make("button", { type: "button", class: "close", onclick: () => comparison.close() }, "Close")),
  sideBySide,
);
document.body.append(tray, comparison);

function toggleMark(item) {
  if (!item?.mark) return;
  if (view.marked.has(item)) view.marked.delete(item);
  else view.marked.add(item);
  showMarks();
  if (view.open) showLarge();
  writeAddress();
}

function unmarkAll() {
  view.marked.clear();
  showMarks();
  writeAddress();
  search.focus();
}

function showMarks() {
  for (const item of items) {
    if (item.mark && item.mark.checked !== view.marked.has(item)) {
      item.mark.checked = view.marked.has(item);
      item.card.classList.toggle("marked", item.mark.checked);
    }
  }
  tray.hidden = view.marked.size === 0;
  document.body.classList.toggle("with-tray", !tray.hidden);
  begin.disabled = view.marked.size < 2;
  trayCount.textContent = view.marked.size === 1 ? "1 marked; mark one more to compare" : `${view.marked.size} marked`;
}

// The words that not all texts have are marked in each of them; where every text is one word, nothing is.
function contrasted(text, texts) {
  if (!texts.some((one) => /\s/.test(one))) return [text];
  const common = texts.map((one) => new Set(one.split(/\s+/))).reduce((some, words) => new Set([...some].filter((word) => words.has(word))));
  return text.split(/(\s+)/).map((word) => (/^\s*$/.test(word) || common.has(word) ? word : make("mark", {}, word)));
}

const IN_SIZE = new Set(["seed", "width", "height"]); // Seed and Size say it

// What is worth comparing: what is known, parameter by parameter, without the numbers that are different anyway.
function compared(data) {
  const told = new Map(known(data));
  for (const name of ["Id", "Key", "Path", "Task", "Parameters", "Derived"]) told.delete(name);
  for (const [name, value] of Object.entries(data.parameters)) if (!IN_SIZE.has(name)) told.set(name, value);
  return told;
}

const FOLDED = 400; // characters: longer texts are folded, so that what else differs is in sight

function fold(line, name) {
  const unfold = make("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: () => {
    const all = line.classList.toggle("folded");
    unfold.setAttribute("aria-expanded", String(!all));
    unfold.textContent = all ? "Show all" : "Show less";
  } }, "Show all");
  unfold.setAttribute("aria-label", `Show all of ${name}`);
  line.classList.add("folded");
  line.querySelector("th").append(unfold);
}

function showComparison() {
  if (!view.comparing) {
    if (comparison.open) comparison.close();
    return;
  }
  const chosen = items.filter((item) => view.marked.has(item));
  const columns = chosen.map((item) => compared(item.data));
  const names = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  const texts = (name) => columns.map((column) => column.get(name) ?? "");
  const different = names.filter((name) => new Set(texts(name)).size > 1);
  const same = names.filter((name) => !different.includes(name));
  const remove = (item) => make("button", { type: "button", class: "quiet", "aria-label": `Take out ${item.data.id}`, onclick: () => {
    toggleMark(item);
    view.comparing = view.marked.size > 1;
    showComparison();
    if (comparison.open) comparisonName.focus();
  } }, "Take out");
  const row = (name, contrast) => {
    const line = make("tr", {}, make("th", { scope: "row" }, ...breakable(name)), ...texts(name).map((text, _at, all) => (
      make("td", {}, make("div", { class: "text" }, ...(contrast ? contrasted(text || "none", all) : [text || "none"])))
    )));
    if (texts(name).some((text) => text.length > FOLDED)) fold(line, name);
    return line;
  };
  const group = (title, list, contrast) => (list.length ? [make("tbody", {},
    make("tr", { class: "title" }, make("th", { scope: "rowgroup", colspan: chosen.length + 1 }, make("span", {}, title))),
    ...list.map((name) => row(name, contrast)))] : []);
  const table = make("table", {},
    make("caption", { class: "unseen" }, "The pictures marked for compare: first what differs, then what is the same"),
    make("thead", {}, make("tr", {}, make("td", {}), ...chosen.map((item) => make("th", { scope: "col" },
      imageOf(item), make("span", { class: "text", title: item.data.id }, ...breakable(item.data.id)), remove(item))))),
    ...group(different.length ? "What differs" : "Nothing differs but the picture", different.length ? different : [], true),
    ...group("The same in all", same, false));
  measure(table, { pictures: chosen.length });
  sideBySide.replaceChildren(table);
  comparisonName.textContent = `Compare ${chosen.length} pictures`;
  if (!comparison.open) {
    comparison.showModal();
    comparisonName.focus();
  }
}

function startComparing() {
  if (view.marked.size < 2) return;
  view.comparing = true;
  showComparison();
  writeAddress();
}

comparison.addEventListener("close", () => {
  if (comparison.open) return; // it was opened again meanwhile
  view.comparing = false;
  sideBySide.replaceChildren();
  writeAddress();
  if (!tray.hidden) begin.focus();
});
