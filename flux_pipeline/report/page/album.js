// What is in the page: the album's data, its cards in the order of the data, and how to make more elements.

const album = JSON.parse(document.getElementById("album").textContent);
for (const data of album.cards) ownOnly(data.axes);
const reduced = matchMedia("(prefers-reduced-motion: reduce)");

// Let an object have the names that it was given and no others: an axis may be called "constructor".
function ownOnly(object) {
  return Object.setPrototypeOf(object, null);
}

// Return a text without capitals and accents, by which it is found however it is typed.
function folded(text) {
  return text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");
}

// Everything by which a picture is found; a file that is broken says so on its card only.
function wordsOf(data, card) {
  const { id, prompt, path, manifest, task, state, reason } = data;
  const blank = card.querySelector(".blank")?.textContent ?? "";
  return folded([id, prompt, path, manifest, task ?? "", state, reason, blank, ...Object.values(data.axes)].join("\n"));
}

const items = [...document.querySelectorAll(".card")].map((card, at) => {
  const data = album.cards[at];
  return {
    at,
    data,
    card,
    link: card.querySelector(".open"),
    mark: card.querySelector(".mark"),
    image: card.querySelector("img"),
    found: wordsOf(data, card),
    shown: true, // it is looked at
    placed: true, // and its card is where it belongs
  };
});
const noun = items.every((item) => item.data.file !== null) ? "picture" : "cell"; // what is counted: not every cell has one
const byName = new Map(items.map((item) => [item.data.name, item]));
const sections = [...document.querySelectorAll(".entry")].map((element) => ({
  element,
  body: element.querySelector(".cards"),
  count: element.querySelector(".count"),
  title: element.querySelector(".name").textContent,
  items: [...element.querySelectorAll(".card")].map((card) => items[Number(card.id.slice("card-".length))]),
}));

// Return an element. Texts are only ever set as text, and attributes come from here, never from the album.
function make(name, attributes = {}, ...inside) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute.startsWith("on")) element.addEventListener(attribute.slice(2), value);
    else if (value === true) element.setAttribute(attribute, "");
    else if (value !== false && value !== null) element.setAttribute(attribute, value);
  }
  element.append(...inside);
  return element;
}

function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

// The names of all values of one thing, in the order in which the album has them.
function valuesOf(reading) {
  return [...new Set(items.map((item) => reading(item.data)).filter((value) => value !== undefined))];
}
