// What is looked at, and how: one value, which the address of the page always holds.

const groups = [
  { key: "manifest", label: "Manifest", read: (data) => data.manifest },
  { key: "entry", label: "Entry", read: (data) => data.entry },
  { key: "state", label: "State", read: (data) => data.state },
  ...album.axes.map(({ name }) => ({ key: `is.${name}`, label: name, read: (data) => data.axes[name] })),
].map((group) => ({ ...group, values: valuesOf(group.read) }));
const filters = groups.filter((group) => group.values.length > 1);
const axes = album.axes.map(({ name }) => name);

const view = { text: "", chosen: new Map(), rows: "", columns: "", open: null, marked: new Set(), comparing: false };

function readAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  view.text = said.get("find") ?? "";
  view.chosen = new Map();
  for (const { key, values } of filters) {
    const known = said.getAll(key).filter((value) => values.includes(value));
    if (known.length) view.chosen.set(key, new Set(known));
  }
  view.rows = axisOf(said.get("rows"), album.rows);
  view.columns = axisOf(said.get("cols"), album.columns);
  if (view.columns === view.rows) view.rows = ""; // one axis cannot be both
  view.open = byName.get(said.get("open")) ?? null;
  view.marked = new Set(said.getAll("mark").map((name) => byName.get(name)).filter((item) => item?.mark));
  view.comparing = said.has("compare") && view.marked.size > 1;
}

function axisOf(said, otherwise) {
  if (said === null) return otherwise;
  return axes.includes(said) ? said : "";
}

function address() {
  const said = new URLSearchParams();
  if (view.text) said.set("find", view.text);
  for (const [key, values] of view.chosen) for (const value of values) said.append(key, value);
  if (view.rows !== album.rows) said.set("rows", view.rows);
  if (view.columns !== album.columns) said.set("cols", view.columns);
  if (view.open) said.set("open", view.open.data.name);
  for (const item of view.marked) said.append("mark", item.data.name);
  if (view.comparing) said.set("compare", "");
  return `#${said}`;
}

let writing = 0;
let returning = false; // the way back out of the large view has begun

// Let the address say what is looked at; not at each key stroke, since browsers slow down who writes it too often.
function writeAddress() {
  clearTimeout(writing);
  writing = setTimeout(writeNow, 150);
}

function writeNow() {
  clearTimeout(writing);
  if (returning) return; // the address is another one in a moment
  if (location.hash !== address() && !(location.hash === "" && address() === "#")) {
    history.replaceState(history.state, "", address());
  }
}

// The large view is a place of its own in the browser's history, so that Back closes it.
function enterLarge() {
  const item = view.open;
  view.open = null;
  writeNow();
  view.open = item;
  history.pushState({ large: true }, "", address());
}

function leaveLarge() {
  returning = history.state?.large === true;
  if (returning) history.back();
  else writeAddress();
}

function onAddress() {
  if (returning) {
    returning = false;
    if (view.open && !history.state?.large) enterLarge(); // it was opened again meanwhile
    else writeAddress();
    return;
  }
  const marked = large.open && !history.state?.large ? view.marked : null;
  readAddress();
  view.marked = marked ?? view.marked; // Back takes no mark away that was made in the large view
  showAll();
}

function isNarrowed() {
  return view.text.trim() !== "" || view.chosen.size > 0;
}

// Decide which pictures are looked at: every word occurs, and every filter has one of the values chosen in it.
function narrow() {
  const words = folded(view.text).split(/\s+/).filter(Boolean);
  const wanted = filters.filter(({ key }) => view.chosen.has(key)).map(({ key, read }) => [read, view.chosen.get(key)]);
  let count = 0;
  for (const item of items) {
    item.shown = words.every((word) => item.found.includes(word)) && wanted.every(([read, values]) => values.has(read(item.data)));
    count += item.shown;
  }
  return count;
}
