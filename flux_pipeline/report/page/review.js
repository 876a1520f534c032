// Decisions on the pictures: only in a page that `review` serves. What is decided is what the server says, never a guess.

const review = JSON.parse(document.getElementById("review").textContent);
const NAMES = { approved: "approved", rejected: "rejected", void: "look again", none: "undecided" };
const KEYS = { a: "approved", r: "rejected", p: "picked", u: "none" };
const OUTDATED = "The page is out of date: the manifest or its pictures have changed since it was loaded. Reload it to see them.";
const EVERY = 15_000; // milliseconds after which other reviewers' decisions are asked for
const WITHOUT = "no picture"; // of cells that nobody can decide on
let decisions = ownOnly(review.decisions);
ownOnly(review.cells);

const wrong = make("div", { class: "wrong", role: "alert", hidden: true });
document.body.append(wrong);
const complaints = new Map(); // what is wrong, by what said so: a decision, the asking for decisions, or the page's age

function stateOf(data) {
  const state = decisions[data.name]?.state ?? "none";
  return state === "none" && !review.cells[data.name].sha256 ? WITHOUT : NAMES[state];
}

function sumOf(item) {
  return review.cells[item.data.name].sha256;
}

function rivalsOf(item) {
  return review.cells[item.data.name].group.map((name) => byName.get(name)).filter((one) => one && one !== item && sumOf(one));
}

const byReview = { key: "review", label: "Review", read: stateOf, values: [...Object.values(NAMES), ...(items.every(sumOf) ? [] : [WITHOUT])] };
filters.push(byReview);
let reviewChips = filterOf(byReview);
chips.append(reviewChips);
more.hidden = false;

// Return the buttons by which an item is decided on.
function choices(item, noteOf) {
  if (!sumOf(item)) return [];
  const button = (verdict, words) => {
    const one = make("button", { type: "button", class: "verdict", "data-verdict": verdict, onclick: () => decide(item, verdict, noteOf()) },
      words, make("span", { class: "unseen" }, ` ${item.data.id}`));
    return one;
  };
  return [
    button("approved", "Approve"),
    button("rejected", "Reject"),
    ...(rivalsOf(item).length ? [button("picked", "Pick")] : []),
    button("none", "Undo"),
  ];
}

// What the server cannot open is not to be decided on: say why, as a gallery does.
async function showBroken(item) {
  const answer = await fetch(item.image.src, { cache: "no-store" }).catch(() => null);
  if (answer?.status !== 404) return; // the review has ended, or the picture is there again
  const { error } = await answer.json();
  item.image.replaceWith(make("span", { class: "blank", "data-state": "broken" },
    make("span", { class: "badge" }, "broken"), make("span", { class: "reason", title: error }, error)));
  review.cells[item.data.name].sha256 = null;
  if (!byReview.values.includes(WITHOUT)) {
    byReview.values.push(WITHOUT);
    const fresh = filterOf(byReview);
    reviewChips.replaceWith(fresh);
    reviewChips = fresh;
  }
  item.choices = [];
  item.card.querySelector(".choices").replaceChildren();
  showStandings();
}

for (const item of items) {
  item.image?.addEventListener("error", () => showBroken(item));
  if (item.image?.complete && item.image.naturalWidth === 0) showBroken(item); // it was refused before anybody listened
  item.standing = make("p", { class: "standing" });
  item.choices = choices(item, () => "");
  item.card.append(make("div", { class: "choices" }, ...item.choices), item.standing); // what is said last may be short
}

// What was decided, in words: whose decision it is, when, and why; on a card without the address.
function standingOf(item, short = false) {
  const one = decisions[item.data.name];
  if (!one || (one.state === "none" && !one.by)) return sumOf(item) ? "Undecided" : "No picture to decide on";
  const by = short ? one.by.replace(/ <[^<>]*@[^<>]*>$/, "") : one.by;
  if (one.state === "void") return `Look again: ${one.reason.replace(/; look again$/, "").replace(one.by, () => by)}`;
  const words = one.state === "none" ? "Taken back" : NAMES[one.state][0].toUpperCase() + NAMES[one.state].slice(1);
  return `${words} by ${by} on ${one.at.slice(0, 10)}${one.note ? `: ${one.note}` : ""}`;
}

function reflectStanding(item, buttons) {
  const state = decisions[item.data.name]?.state ?? "none";
  for (const button of buttons) {
    const verdict = button.dataset.verdict;
    if (verdict === "none") {
      if (state === "none" && document.activeElement === button) buttons[0].focus(); // the focus does not go with it
      button.hidden = state === "none";
    }
    if (verdict === "approved" || verdict === "rejected") button.setAttribute("aria-pressed", String(verdict === state));
  }
}

function showStandings() {
  for (const item of items) {
    item.card.dataset.review = decisions[item.data.name]?.state ?? "none";
    item.standing.textContent = item.standing.title = standingOf(item, true);
    reflectStanding(item, item.choices);
  }
  if (view.open) showDesk(view.open);
}

const drafts = new Map(); // notes that were begun and not kept, by their item
const note = make("textarea", { id: "note", rows: 2, maxlength: 2000, "aria-describedby": "note-hint", oninput: () => {
  drafts.set(desk.item, note.value);
  reflectNote(desk.item);
} });
const keepNote = make("button", { type: "button", hidden: true, onclick: () => decide(desk.item, recorded(desk.item).state, note.value) }, "Keep the note");
const noteHint = make("p", { id: "note-hint", class: "hint" });
const deskStanding = make("p", { class: "standing" });
const deskChoices = make("div", { class: "choices" });
const noteField = make("div", { class: "field" }, make("label", { for: "note" }, "Note"), note);
const keeping = make("div", { class: "keeping" }, noteHint, keepNote);
const desk = make("div", { class: "desk" }, deskStanding, noteField, keeping, deskChoices);
facts.before(desk);

function recorded(item) {
  return decisions[item.data.name] ?? { state: "none", note: "" };
}

// A note is part of a decision: say so while there is none, and offer to keep one that was changed afterwards.
function reflectNote(item) {
  const { state, note: kept } = recorded(item);
  const begun = note.value.trim() !== (kept ?? "").trim();
  const decided = state === "approved" || state === "rejected";
  keepNote.hidden = !begun || !decided;
  noteHint.textContent = !begun ? "" : decided ? "Not kept yet." : "Kept when you decide.";
}

function showDesk(item) {
  if (desk.item !== item) {
    desk.item = item;
    deskChoices.replaceChildren(...choices(item, () => note.value));
  }
  const words = drafts.get(item) ?? recorded(item).note ?? "";
  if (note.value !== words) note.value = words; // of this picture, or as somebody else has decided meanwhile
  noteField.hidden = keeping.hidden = !sumOf(item);
  desk.hidden = !sumOf(item) && recorded(item).state === "none";
  reflectNote(item);
  deskStanding.textContent = deskStanding.title = standingOf(item);
  deskStanding.dataset.review = stage.dataset.review = decisions[item.data.name]?.state ?? "none";
  reflectStanding(item, deskChoices.children);
}
alongside.push(showDesk);

async function decide(item, verdict, words = "") {
  const looked = (one) => ({ cell: one.data.name, key: one.data.key, sha256: sumOf(one) });
  const others = verdict === "picked" ? rivalsOf(item).map(looked) : [];
  item.card.classList.add("asking");
  const done = await ask("decide", { ...looked(item), verdict, note: verdict === "none" ? "" : words, others });
  item.card.classList.remove("asking");
  if (!done) return;
  if (verdict !== "none" && drafts.get(item) === words) drafts.delete(item);
  take(done.decisions);
  announceSoon(`${item.data.id}: ${standingOf(item, true)}`);
}

// Ask the server; what it refuses is shown, and nothing is changed.
async function ask(place, body) {
  try {
    const answer = await fetch(place, body === undefined ? { cache: "no-store" } : {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Flux-Pipeline-Token": review.token },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error);
    if (place === "decide") complain("decide", "");
    complain("decisions", "");
    complain("age", said.shows === review.shows ? "" : OUTDATED);
    return said;
  } catch (error) {
    complain(place, error instanceof TypeError ? "The review has ended: start `flux-pipeline review` again" : error.message);
    return null;
  }
}

// Say what is wrong. Each has its own end: of a refused decision another one or a click, of a page's age only a reload.
function complain(from, words) {
  if (words) complaints.set(from, words);
  else complaints.delete(from);
  const all = [...new Set(complaints.values())];
  wrong.hidden = all.length === 0;
  if (wrong.hidden) return;
  bringForward();
  if (wrong.dataset.words === all.join("\n")) return;
  wrong.dataset.words = all.join("\n");
  const closed = () => {
    for (const one of ["decide", "decisions"]) complain(one, "");
    (comparison.open ? comparisonName : large.open ? largeName : pictures).focus({ preventScroll: true });
  };
  wrong.replaceChildren(
    ...all.map((one) => make("p", {}, one)),
    make("button", { type: "button", onclick: () => location.reload() }, "Reload"),
    ...(all.every((one) => one === OUTDATED) ? [] : [make("button", { type: "button", class: "quiet", onclick: closed }, "Close")]),
  );
}

// What is behind a dialog cannot be reached, and what is in one goes with it.
function bringForward() {
  const front = [comparison, large].find((dialog) => dialog.open) ?? document.body;
  if (wrong.parentElement !== front) front.append(wrong);
}
alongside.push(() => setTimeout(bringForward)); // when it is open
for (const dialog of [large, comparison]) dialog.addEventListener("close", bringForward);

function take(fresh) {
  decisions = ownOnly(fresh);
  showStandings();
  if (view.chosen.has("review")) keepingPlace(refresh);
}

// Let pictures come and go; who is at one stays there, or comes to the one that takes its place.
function keepingPlace(change) {
  const held = document.activeElement;
  const item = itemOf(held);
  change();
  if (view.open) {
    showLarge();
    if (held.disabled) largeName.focus();
  } else if (item?.shown) {
    if (!item.placed) fill(IN_PASSING, item);
    held.focus({ preventScroll: true }); // a card that was moved has lost it
  } else if (item) focusNear(item);
}

async function askAgain() {
  if (document.hidden) return;
  const said = await ask("decisions");
  if (said) take(said.decisions);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || comparison.open) return;
  if (event.target.matches("input:not([type=checkbox]), select, textarea") || !(event.key in KEYS)) return;
  const item = large.open ? view.open : itemOf(event.target);
  if (!item || !sumOf(item)) return;
  if (KEYS[event.key] === "picked" && !rivalsOf(item).length) return;
  event.preventDefault();
  decide(item, KEYS[event.key], large.open ? note.value : "");
});
document.addEventListener("visibilitychange", askAgain);
setInterval(askAgain, EVERY);
document.querySelector("footer").append(make("p", { class: "keys" },
  ...[["a", "approve"], ["r", "reject"], ["p", "pick one of those that differ in the seed"], ["u", "undo"]].flatMap(
    ([key, does]) => [make("kbd", {}, key), ` ${does} `]), `as ${review.reviewer}`));
showStandings();
