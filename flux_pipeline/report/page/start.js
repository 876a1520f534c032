// The beginning: read the address, show what it says, and listen.

let refreshing = 0;

function refresh() {
  cancelAnimationFrame(refreshing);
  refreshing = 0;
  reflect(show());
  writeAddress();
}

// However fast somebody writes, the pictures are looked through once a frame.
function refreshSoon() {
  if (!refreshing) refreshing = requestAnimationFrame(refresh);
}

function showAll() {
  refresh();
  showMarks();
  showLarge();
  showComparison();
}

function itemOf(element) {
  const card = element instanceof Element ? element.closest(".card") : null;
  return card ? items[Number(card.id.slice("card-".length))] : null;
}

pictures.addEventListener("click", (event) => {
  const item = itemOf(event.target);
  if (!item || !event.target.closest(".open")) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // to a tab or a window of its own
  event.preventDefault();
  open(item);
});
pictures.addEventListener("change", (event) => {
  if (event.target.matches(".mark")) toggleMark(itemOf(event.target));
});

const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const writing = event.target.matches("input:not([type=checkbox]), select, textarea");
  const act = (action) => {
    event.preventDefault();
    action();
  };
  if (comparison.open) return;
  if (large.open) {
    if (writing) return; // a note
    if (event.key === "c") act(() => toggleMark(view.open));
    else if (MOVES.includes(event.key)) act(() => step(event.key));
    return;
  }
  if (event.key === "Escape" && isNarrowed()) act(clearFilters);
  else if (event.key === "Escape" && event.target === search) search.blur();
  else if (event.key === "ArrowDown" && event.target === search && order.length) act(() => focusOn(order[0]));
  else if (writing) return;
  else if (event.key === "/") act(() => search.focus());
  else if (event.key === "c" && itemOf(event.target)) act(() => toggleMark(itemOf(event.target)));
  else if (MOVES.includes(event.key)) move(event, act);
}

function move(event, act) {
  const item = itemOf(event.target);
  if (item) {
    const to = neighbour(item, event.key);
    if (to) act(() => focusOn(to));
  } else if (event.target === document.body && event.key === "ArrowRight" && order.length) {
    act(() => focusOn(order[0]));
  }
}

document.addEventListener("keydown", onKey);
addEventListener("beforeprint", () => fill(items.length));
addEventListener("popstate", onAddress); // Back, Forward, and an address that somebody writes
document.querySelector("footer").append(make("p", { class: "keys" },
  ...[["arrows", "move"], ["Enter", "open"], ["/", "find"], ["c", "mark for compare"], ["Esc", "close or clear"]].flatMap(
    ([key, does]) => [make("kbd", {}, key), ` ${does} `])));
document.documentElement.classList.add("js");
setTheme(savedTheme());
readAddress();
more.open = true;
const lines = chips.clientHeight / parseFloat(getComputedStyle(chips).lineHeight); // of text; a line of chips is less than two
more.open = view.chosen.size > 0 || (matchMedia("(min-width: 50rem)").matches && lines < 4);
showAll();
