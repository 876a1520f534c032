// The cards: plain or in a table of two axes, only those that are looked at, and the way from one to the next.
//
// Thousands of cards cannot come and go at each key stroke. So the whole of what was there is hidden, which costs little; of
// what is wanted, the first cards are put in place at once and the others whenever there is time, from the top down; and what
// is left over is taken out last.

const BLOCK = 120; // cards; what is not near the screen is not laid out, block by block
const ACROSS = 4; // cards beside each other in a table's cell
const AT_ONCE = 40;
const IN_PASSING = 2 * BLOCK;
const SOON = { timeout: 100 }; // milliseconds, where a browser is never idle
const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 1));
const notWhenIdle = window.cancelIdleCallback ?? clearTimeout;

const pictures = document.getElementById("pictures");
const nothing = make(
  "div",
  { class: "empty", hidden: true },
  make("h2", {}, "Nothing matches"),
  make("p", {}, `No ${noun} has all of these words and values.`),
  make("button", { type: "button", onclick: () => clearFilters() }, "Clear the filters"),
);
pictures.append(nothing);

let order = items; // what is looked at, as it stands on the page: a table's order is not the grid's
let past = items; // the order when the picture that is open was in it, or else the one before this
let looks = ["", ""].join("\n"); // the axes and the cards that are in place, or on their way
let queue = [];
let stale = [];
let filling = 0;

// Show what is looked at, and return how much that is.
function show() {
  const count = narrow();
  const now = [view.rows, view.columns, ...items.filter((item) => !item.shown).map((item) => item.at)].join("\n");
  if (now === looks) return count;
  looks = now;
  notWhenIdle(filling);
  queue = [];
  if (!view.open || order.includes(view.open)) past = order;
  order = [];
  for (const item of items) item.placed = false;
  for (const section of sections) {
    section.element.hidden = true;
    section.body.hidden = true;
    stale.push(section.body);
    const left = section.items.filter((item) => item.shown);
    const all = counted(section.items.length, noun);
    section.count.textContent = left.length === section.items.length ? all : `${left.length.toLocaleString("en")} of ${all}`;
    if (left.length) layOut(section, left);
  }
  nothing.hidden = order.length > 0 || items.length === 0;
  fill(AT_ONCE);
  fillOn();
  return count;
}

// Queue what puts a section in place: card by card, or row by row. Cards are moved, never copied.
function layOut(section, left) {
  const has = (axis) => axis && section.items.some((item) => axis in item.data.axes);
  const rows = has(view.rows) ? view.rows : "";
  const columns = has(view.columns) && view.columns !== rows ? view.columns : "";
  const units = rows || columns ? tableOf(section, left, rows, columns) : gridOf(section, left);
  const first = units[0].put;
  units[0].put = () => {
    section.element.append(section.body);
    section.element.hidden = false;
    first();
  };
  for (const unit of units) {
    for (const item of unit.items) order.push(item);
    queue.push({ ...unit, axes: [rows, columns] });
  }
}

function gridOf(section, left) {
  section.body = make("div", { class: "cards", role: "list" });
  let block = null;
  return left.map((item, at) => ({ items: [item], put: () => {
    if (at % BLOCK === 0) {
      block = make("ul", { class: "grid", role: "presentation" });
      measure(block, { cards: Math.min(BLOCK, left.length - at) });
      section.body.append(block);
    }
    block.append(item.card);
  } }));
}

// Tell the style numbers of an element, such as how many cards it will have: from that it knows how large it is before it is
// laid out. They stand in a style sheet, for the page's policy allows no style in an attribute.
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);
const told = new Map();

function measure(element, numbers) {
  const words = Object.entries(numbers).map(([name, number]) => `--${name}: ${number};`).join(" ");
  if (!told.has(words)) {
    sheet.insertRule(`[data-size="${told.size}"] { ${words} }`);
    told.set(words, told.size);
  }
  element.dataset.size = told.get(words);
}
for (const block of pictures.querySelectorAll(".grid")) measure(block, { cards: block.children.length });

function tableOf(section, left, rows, columns) {
  const read = (axis, item) => (axis ? (item.data.axes[axis] ?? "") : "");
  const places = new Map();
  const heads = new Set();
  for (const item of left) {
    const row = read(rows, item);
    const head = read(columns, item);
    heads.add(head);
    if (!places.has(row)) places.set(row, new Map());
    const line = places.get(row);
    line.set(head, [...(line.get(head) ?? []), item]);
  }
  const sorted = [...heads].sort((one, other) => valueAt(columns, one) - valueAt(columns, other));
  const named = [rows && `${rows} as rows`, columns && `${columns} as columns`].filter(Boolean).join(", ");
  const table = make("table", { role: "table", class: columns ? "" : "alone" }, make("caption", { class: "unseen" }, `${section.title}: ${named}`));
  const most = sorted.map((head) => Math.max(...[...places.values()].map((line) => line.get(head)?.length ?? 0)));
  const tracks = most.map((cards) => Math.min(cards, ACROSS) * 10.1 + 0.7); // rem: a card is 9.5 wide, a gap 0.6, the sides 1.2, the line 0.1
  measure(table, {
    longest: Math.max(0, ...[...places.keys()].map((value) => value.length)),
    tracks: tracks.map((track) => `${track}rem`).join(" "),
    all: `${tracks.reduce((sum, track) => sum + track, 0)}rem`,
  });
  if (!rows) table.classList.add("headless");
  if (columns) {
    const head = sorted.map((value) => heading("col", columns, value));
    table.append(make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...(rows ? [make("td", { role: "cell" })] : []), ...head)));
  }
  section.body = make("div", { class: "matrix", tabindex: 0, role: "region", "aria-label": `${section.title} by ${named}` }, table);
  return rowGroups([...places]).flatMap((group) => {
    const body = make("tbody", { role: "rowgroup" });
    measure(body, { lines: group.lines, rows: group.places.length });
    return group.places.map(([row, line], at) => ({
      items: sorted.flatMap((head) => line.get(head) ?? []),
      put: () => {
        if (at === 0) table.append(body);
        body.append(make("tr", { role: "row" }, ...(rows ? [heading("row", rows, row)] : []), ...sorted.map((head) => {
          const inside = line.get(head);
          return make("td", { role: "cell" }, inside ? stackOf(inside) : "–");
        })));
      },
    }));
  });
}

// Part the rows of a table into groups of about a block's cards: those that are not near the screen are not laid out.
function rowGroups(places) {
  const groups = [];
  let full = true;
  for (const place of places) {
    if (full) groups.push({ places: [], cards: 0, lines: 0 });
    const group = groups.at(-1);
    const counts = [...place[1].values()].map((inside) => inside.length);
    group.places.push(place);
    group.cards += counts.reduce((sum, count) => sum + count, 0);
    group.lines += Math.ceil(Math.max(...counts) / ACROSS);
    full = group.cards >= BLOCK / 2;
  }
  return groups;
}

function stackOf(inside) {
  const stack = make("ul", { class: "stack", role: "list" }, ...inside.map((item) => item.card));
  measure(stack, { cards: inside.length });
  return stack;
}

function valueAt(axis, value) {
  return groups.find(({ key }) => key === `is.${axis}`)?.values.indexOf(value) ?? 0;
}

function heading(scope, axis, value) {
  const words = value === "" ? "none" : value;
  return make("th", { scope, role: scope === "row" ? "rowheader" : "columnheader" }, make("span", { class: "axis", title: axis }, axis), make("span", { class: "value", title: words }, words));
}

// Put the next cards in place: some, or (with `until`) at least as many as it takes for that one to be there.
function fill(some, until = null) {
  let at = 0;
  let placed = 0;
  let waiting = until;
  while (at < queue.length && (placed < some || waiting)) {
    const { items: members, put, axes: taken } = queue[at];
    at += 1;
    put();
    placed += members.length;
    for (const item of members) {
      item.placed = true;
      withoutAxes(item, taken);
    }
    if (members.includes(waiting)) waiting = null;
  }
  queue.splice(0, at);
}

function fillOn() {
  if (queue.length || stale.length) filling = whenIdle(() => {
    if (queue.length) fill(IN_PASSING);
    else stale.pop().remove();
    fillOn();
  }, SOON);
}

// A card does not repeat what its row and its column say.
function withoutAxes(item, taken) {
  for (const value of item.card.querySelectorAll(".values [data-axis]")) value.hidden = taken.includes(value.dataset.axis);
}

function focusOn(item) {
  if (queue.length) fill(IN_PASSING, item.placed ? null : item);
  item.link.focus({ preventScroll: true });
  item.card.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// Return where a picture stands; of one that is not looked at any more, where it would: behind those that were before it.
function placeOf(item) {
  if (order.includes(item)) return order.indexOf(item);
  const before = new Set(past.slice(0, Math.max(past.indexOf(item), 0)));
  return order.filter((one) => before.has(one)).length;
}

// Focus a picture, or the one that stands in its place now; where none is left, the way to see some again.
function focusNear(item) {
  const to = order.includes(item) ? item : order[placeOf(item)] ?? order.at(-1);
  if (to) focusOn(to);
  else nothing.querySelector("button").focus();
}

// Return the next picture in a direction, as it looks: above and below are where the eye finds them.
function neighbour(item, key) {
  const at = order.indexOf(item);
  if (key === "Home") return order[0];
  if (key === "End") return order.at(-1);
  const step = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  if (at < 0) return order[placeOf(item) + Math.min(step, 0)];
  if (key === "ArrowLeft" || key === "ArrowRight") return order[at + step];
  if (queue.length) fill(IN_PASSING, item.placed ? null : item);
  const here = item.card.getBoundingClientRect();
  const inCell = item.card.closest("td");
  const within = inCell && straight(here, membersOf(inCell, step), step);
  if (within) return within;
  const row = item.card.closest("tr");
  let next = at + step;
  while (order[next]?.placed && (!isBeyond(order[next], here, step) || (row && row.contains(order[next].card)))) next += step;
  const cell = order[next]?.placed && nearestCell(here, order[next].card.closest("tr"));
  return straight(here, cell ? membersOf(cell, step) : placedFrom(next, step), step);
}

function isBeyond(item, here, step) {
  const there = item.card.getBoundingClientRect();
  return step > 0 ? there.top >= here.bottom : there.bottom <= here.top;
}

function* placedFrom(next, step) {
  for (; order[next]?.placed; next += step) yield order[next];
}

// Return the pictures of a table's cell, the nearest line first for somebody who comes from above (1) or below (-1).
function membersOf(cell, step) {
  const members = [...cell.querySelectorAll(".card")].map(itemOf);
  return step > 0 ? members : members.reverse();
}

// Return the cell of a row, of those with pictures, that is above or below, or else the nearest to that.
function nearestCell(here, row) {
  const middle = here.left + here.width / 2;
  const off = (cell) => {
    const { left, right } = cell.getBoundingClientRect();
    return Math.max(left - middle, middle - right, 0);
  };
  const cells = row ? [...row.querySelectorAll("td:has(.card)")] : [];
  return cells.reduce((best, cell) => (best === null || off(cell) < off(best) ? cell : best), null);
}

// Return the picture that is straight above or below, on the nearest line that some pictures, nearest first, make.
function straight(here, members, step) {
  let best = null;
  let line = null;
  for (const item of members) {
    const there = item.card.getBoundingClientRect();
    if (!isBeyond(item, here, step)) continue;
    if (line === null) line = there;
    else if (step > 0 ? there.top >= line.bottom : there.bottom <= line.top) break;
    const off = Math.abs(there.left + there.width / 2 - here.left - here.width / 2);
    if (best === null || off < best.off) best = { off, item };
  }
  return best?.item;
}
