// What stands above the pictures: words to find, axes to arrange by, values to choose, light or dark.

const MOST_CHIPS = 10;

const search = make("input", {
  type: "search", id: "find", autocomplete: "off", spellcheck: "false", placeholder: "Prompt, id or value",
  oninput: () => {
    view.text = search.value;
    refreshSoon();
  },
});
const shownCount = make("p", { class: "shown", "aria-hidden": "true" });
const announced = make("p", { class: "unseen", role: "status" });
const clear = make("button", { type: "button", class: "quiet", hidden: true, onclick: () => clearFilters() }, "Clear");
const rowsOf = axisSelect("rows", "Rows");
const columnsOf = axisSelect("columns", "Columns");
const swap = make(
  "button",
  { type: "button", class: "quiet", onclick: () => rearrange(view.columns, view.rows) },
  make("span", { "aria-hidden": "true" }, "⇄"),
  make("span", { class: "unseen" }, "Swap rows and columns"),
);
const theme = make("button", { type: "button", class: "quiet", onclick: () => nextTheme() });
const chips = make("div", { class: "chips" });
const more = make("details", { class: "more", hidden: filters.length === 0 }, make("summary", {}, "Filters"), chips);

// On a phone the filters are behind a button, which stays in sight and leads back up to them.
const toFilters = make("button", { type: "button", class: "quiet to-filters", "aria-expanded": "false", onclick: () => {
  more.open = scrollY > 200 || !more.open;
  if (more.open) scrollTo(0, 0);
} }, "Filters");
more.addEventListener("toggle", () => toFilters.setAttribute("aria-expanded", String(more.open)));

function axisSelect(which, label) {
  const select = make("select", { id: `${which}-axis`, onchange: () => {
    const { value } = select; // where it is the other's already, the two change places
    if (which === "rows") rearrange(value, value && value === view.columns ? view.rows : view.columns);
    else rearrange(value && value === view.rows ? view.columns : view.rows, value);
  } }, make("option", { value: "" }, "–"), ...axes.map((axis) => make("option", { value: axis }, axis)));
  select.field = make("div", { class: "field", hidden: axes.length === 0 }, make("label", { for: select.id }, label), select);
  return select;
}

function rearrange(rows, columns) {
  view.rows = rows;
  view.columns = columns;
  refresh();
}

function choose(key, value, on) {
  const values = view.chosen.get(key) ?? new Set();
  if (on) values.add(value);
  else values.delete(value);
  if (values.size) view.chosen.set(key, values);
  else view.chosen.delete(key);
  refresh();
}

function filterOf(group) {
  const label = make("span", { class: "label", id: `label-${filters.indexOf(group)}` }, group.label);
  if (group.values.length <= MOST_CHIPS) {
    group.chips = group.values.map((value) => {
      const chip = make("button", { type: "button", class: "chip", title: value, onclick: () => {
        choose(group.key, value, chip.getAttribute("aria-pressed") !== "true");
      } }, value === "" ? "none" : value);
      return [value, chip];
    });
    return make("div", { class: "group", role: "group", "aria-labelledby": label.id }, label, ...group.chips.map(([, chip]) => chip));
  }
  // One of many is chosen from a list, which begins anew each time; what was chosen stands beside it, to be taken off again.
  group.select = make("select", { "aria-labelledby": label.id, onchange: () => {
    if (group.select.selectedIndex > 0) choose(group.key, group.values[group.select.selectedIndex - 1], true);
  } }, make("option", { value: "" }), ...group.values.map((value, at) => make("option", { value: at + 1 }, value === "" ? "none" : value)));
  group.taken = make("span", { class: "taken" });
  return make("div", { class: "group" }, label, group.select, group.taken);
}

// Show beside a list what was chosen from it.
function reflectList(group, chosen) {
  const now = JSON.stringify([...chosen]);
  if (group.reflected === now) return; // a list may have thousands of values, and somebody may be writing
  group.reflected = now;
  group.values.forEach((value, at) => {
    group.select.options[at + 1].disabled = chosen.has(value);
  });
  group.select.options[0].textContent = chosen.size ? "and…" : "any";
  group.select.selectedIndex = 0;
  group.taken.replaceChildren(...group.values.filter((value) => chosen.has(value)).map((value) => make(
    "button",
    { type: "button", class: "chip", "aria-pressed": "true", title: value, onclick: () => {
      choose(group.key, value, false);
      group.select.focus();
    } },
    make("span", { class: "unseen" }, `${group.label} `),
    make("span", { "aria-hidden": "true" }, "× "), // before the value, whose end is cut off where it is long
    value === "" ? "none" : value,
  )));
}

function clearFilters() {
  view.text = "";
  view.chosen.clear();
  refresh();
  search.focus();
}

// Let every control say what is looked at.
function reflect(count) {
  if (search.value !== view.text) search.value = view.text;
  rowsOf.value = view.rows;
  columnsOf.value = view.columns;
  swap.hidden = !view.rows && !view.columns;
  for (const group of filters) {
    const chosen = view.chosen.get(group.key);
    for (const [value, chip] of group.chips ?? []) chip.setAttribute("aria-pressed", String(chosen?.has(value) ?? false));
    if (group.select) reflectList(group, chosen ?? new Set());
  }
  clear.hidden = !isNarrowed();
  const all = counted(items.length, noun);
  const some = isNarrowed() ? `${count.toLocaleString("en")} of ${all}` : all;
  shownCount.textContent = some;
  announceSoon(`${some} shown`);
}

let announcing = 0;

// Say it once somebody has stopped writing, not at each key stroke.
function announceSoon(words) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    if (announced.textContent !== words) announced.textContent = words;
  }, 400);
}

const THEMES = ["auto", "light", "dark"];

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  theme.textContent = `Theme: ${name}`;
}

function nextTheme() {
  const name = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  setTheme(name);
  try {
    localStorage.setItem("flux-pipeline-theme", name);
  } catch {} // a browser that keeps nothing for files on disk
}

function savedTheme() {
  try {
    const name = localStorage.getItem("flux-pipeline-theme");
    return THEMES.includes(name) ? name : "auto";
  } catch {
    return "auto";
  }
}

chips.append(...filters.map(filterOf));
const controls = document.getElementById("controls");
controls.setAttribute("role", "search");
controls.setAttribute("aria-label", "Pictures");
controls.append(
  make("div", { class: "bar" },
    make("div", { class: "field find" }, make("label", { for: "find" }, "Find"), search, make("kbd", { "aria-hidden": "true" }, "/")),
    rowsOf.field, swap, columnsOf.field,
    make("div", { class: "tally" }, shownCount, clear, toFilters, theme)),
  more,
  announced,
);
