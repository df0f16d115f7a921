"use strict";
// The browser of a run folder. Texts of models and data sets are hostile: `make` puts them into text nodes, and nothing builds markup.
(() => {
  const ROW = 52; // height of a row of the list, as in view.css
  const SPARE = 8; // rows drawn beyond the edges of what can be seen
  const CACHED = 80; // rows kept in full
  const NOTHING = "Nothing passes these filters.";

  const at = (id) => document.getElementById(id);

  /** The only maker of elements. Children are nodes and texts; what is empty or false is left out. */
  function make(tag, properties, ...children) {
    const [name, ...classes] = tag.split(".");
    const node = document.createElement(name);
    node.className = classes.join(" ");
    for (const [key, value] of Object.entries(properties || {})) {
      if (key.startsWith("aria-") || key === "role") node.setAttribute(key, value);
      else if (key === "style") for (const [what, how] of Object.entries(value)) node.style.setProperty(what, how);
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node[key] = value;
    }
    node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
    return node;
  }

  const button = (tag, properties, ...children) => make(tag, { type: "button", ...properties }, ...children);
  const words = (text) => text.replaceAll("_", " ");
  const breakable = (name) => name.split("_").flatMap((part, k) => (k ? ["_", make("wbr"), part] : [part]));
  const dim = (text) => make("span.dim", null, text);
  const chip = (text, tone = "dim", title = "") => make(`span.chip.${tone}`, { title }, text);

  // ---- where data comes from: a server, or the page itself ----

  const embedded = at("data");
  const source = embedded ? fromPage(JSON.parse(embedded.textContent)) : fromServer();

  function fromServer() {
    async function ask(what, parameters) {
      const reply = await fetch(`api/${what}?${new URLSearchParams(parameters)}`);
      if (reply.status === 404) throw new Error("It is not there any more; load the page again.");
      if (!reply.ok) throw new Error(`The server says ${reply.status}.`);
      return reply.json();
    }
    return {
      overview: () => ask("overview", {}),
      list: (id) => ask("list", { id }),
      row: (id, key) => ask("row", { id, key }),
      search: (id, text) => ask("search", { id, text }),
      picture: (name) => `picture/${encodeURIComponent(name)}.png`,
    };
  }

  function fromPage(data) {
    const own = (table, key) => (Object.hasOwn(table, key) ? table[key] : null);
    const joined = (runs) => (runs || []).map((run) => run[0]).join("");
    function holds(row, text) {
      const texts = [row.item.id, joined(row.item.prompt)];
      for (const record of row.records) texts.push(joined(record.asked), ...record.hops.map((hop) => joined(hop.raw)));
      return texts.some((one) => one.toLowerCase().includes(text));
    }
    async function search(id, text) {
      const rows = Object.entries(own(data.rows, id) || {});
      return rows.filter(([, row]) => holds(row, text.toLowerCase())).map(([key]) => key);
    }
    return {
      overview: async () => data.overview,
      list: async (id) => own(data.lists, id),
      row: async (id, key) => own(own(data.rows, id) || {}, key),
      search,
      picture: (name) => own(data.pictures, name) || "data:,",
    };
  }

  // ---- what is shown; the address keeps it ----

  let overview = null;
  let index = null; // the list as it came
  let view = { rows: [], facets: [] }; // what filters leave of it
  let wanted = null; // key of the row that was shown last
  let found = null; // keys that the search found; null without one
  let asked = 0; // searches so far: only the last one counts
  let rewards = [0, 1]; // lowest and highest of the list
  const state = fresh();
  const cache = new Map();

  function fresh() {
    const nothing = { list: null, key: null, columns: new Set(), filters: new Map() };
    return { ...nothing, text: "", from: null, to: null, sort: "order", think: false, raw: false };
  }

  const ordered = (numbers) => [...numbers].sort((a, b) => a - b);
  const usualColumns = () => new Set(index.columns.slice(0, index.shown).keys());
  const whole = (text) => (text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null);

  function toAddress() {
    const told = new URLSearchParams();
    told.set("list", state.list);
    if (state.key !== null) told.set("row", state.key);
    const columns = ordered(state.columns);
    if (String(columns) !== String([...usualColumns()])) told.set("show", columns.map((k) => index.columns[k]).join("|"));
    for (const [id, values] of state.filters) for (const value of values) told.append(`only.${id}`, value);
    if (state.text) told.set("text", state.text);
    if (state.from !== null) told.set("from", state.from);
    if (state.to !== null) told.set("to", state.to);
    if (state.sort !== "order") told.set("sort", state.sort);
    if (state.think) told.set("think", "1");
    if (state.raw) told.set("raw", "1");
    if (`#${told}` !== location.hash) history.replaceState(null, "", `#${told}`);
  }

  async function fromAddress() {
    const told = new URLSearchParams(location.hash.slice(1));
    const lists = overview.sections.map((section) => section.id);
    const wanted = told.get("list");
    await openList(lists.includes(wanted) ? wanted : lists[0], told);
  }

  let opening = 0;
  async function openList(id, told = new URLSearchParams()) {
    const mine = ++opening;
    if (id !== state.list) {
      const came = await source.list(id);
      if (!came || mine !== opening) return; // another list has been opened since
      index = came;
      cache.clear();
    }
    wanted = told.get("row");
    Object.assign(state, fresh(), { list: id, text: (told.get("text") || "").slice(0, 200) });
    const named = (told.get("show") || "").split("|").map((name) => index.columns.indexOf(name));
    const columns = new Set(named.filter((k) => k >= 0));
    state.columns = columns.size ? columns : usualColumns();
    for (const facet of facets()) {
      const values = told.getAll(`only.${facet.id}`).filter((value) => facet.values.includes(value));
      if (values.length) state.filters.set(facet.id, new Set(values));
    }
    const sort = told.get("sort") || "order";
    Object.assign(state, { from: whole(told.get("from")), to: whole(told.get("to")), sort: Object.hasOwn(sorts(), sort) ? sort : "order" });
    Object.assign(state, { think: told.get("think") === "1", raw: told.get("raw") === "1" });
    rewards = index.records.reward.reduce(([low, high], r) => (r === null ? [low, high] : [Math.min(low, r), Math.max(high, r)]), [0, 1]);
    at("search").value = state.text;
    asked++; // searches under way are for another list
    found = state.text ? new Set(await source.search(id, state.text)) : null;
    if (mine !== opening) return;
    drawTabs();
    drawNotes();
    drawSorts();
    drawListHead();
    recompute();
  }

  // ---- what filters leave, and what each of their values would leave ----

  const AGREEMENT = ["differ", "all right", "the same, not right"];

  function facets() {
    if (index.kind !== "answers" || index.columns.length < 2) return index.facets;
    const data = index.units.key.map((_, unit) => agreement(unit));
    return [{ id: "agreement", title: "Models shown", per: "unit", values: AGREEMENT, data }, ...index.facets];
  }

  /** Records of a row that are shown. */
  function recordsOf(unit) {
    const records = [];
    const end = index.units.start[unit + 1];
    for (let k = index.units.start[unit]; k < end; k++) if (state.columns.has(index.records.column[k])) records.push(k);
    return records;
  }

  function agreement(unit) {
    const outcomes = new Set(recordsOf(unit).map((k) => index.records.outcome[k]));
    if (outcomes.size > 1) return 0;
    return outcomes.has(0) ? 1 : 2;
  }

  /** A facet with the values that are chosen in it, and for each value the rows that choosing it alone would leave. */
  function counting(facet) {
    const names = state.filters.get(facet.id);
    const chosen = names ? new Set([...names].map((name) => facet.values.indexOf(name))) : null;
    const counts = new Array(facet.values.length).fill(0);
    const last = new Array(facet.values.length).fill(-1);
    const values = (k) => (Array.isArray(facet.data[k]) ? facet.data[k] : [facet.data[k]]);
    const fails = (k) => chosen !== null && !values(k).some((value) => chosen.has(value));
    function count(k, unit) {
      for (const value of values(k)) {
        if (last[value] !== unit) counts[value]++;
        last[value] = unit;
      }
    }
    return { ...facet, counts, fails, count };
  }

  /** A row passes if one of its shown records passes every filter. What fails one filter only counts for the values of that one. */
  function passing() {
    const all = facets().map(counting);
    const ofUnit = all.filter((facet) => facet.per === "unit");
    const ofRecord = all.filter((facet) => facet.per !== "unit");
    const rows = [];
    for (let unit = 0; unit < index.units.key.length; unit++) {
      const step = index.units.step[unit];
      if (found && !found.has(index.units.key[unit])) continue;
      if ((state.from !== null && step < state.from) || (state.to !== null && step > state.to)) continue;
      const wrong = ofUnit.filter((facet) => facet.fails(unit));
      if (wrong.length > 1) continue;
      let passes = false;
      for (const k of recordsOf(unit)) {
        const failing = ofRecord.filter((facet) => facet.fails(k));
        if (wrong.length + failing.length > 1) continue;
        if (failing.length) failing[0].count(k, unit);
        else if (wrong.length) wrong[0].count(unit, unit);
        else {
          passes = true;
          for (const facet of ofRecord) facet.count(k, unit);
          for (const facet of ofUnit) facet.count(unit, unit);
        }
      }
      if (passes) rows.push(unit);
    }
    return { rows, facets: all };
  }

  /** Order → its name and what rows are ordered by, the smallest first. */
  function sorts() {
    const of = (unit, column) => recordsOf(unit).map((k) => index.records[column][k]).filter((value) => value !== null);
    const mean = (unit) => of(unit, "reward").reduce((sum, reward, _, all) => sum + reward / all.length, 0);
    const spread = (unit) => Math.max(...of(unit, "reward")) - Math.min(...of(unit, "reward")) || 0;
    const unscored = (unit) => !of(unit, "reward").length;
    const common = {
      worst: ["worst outcome first", (unit) => Math.min(...of(unit, "outcome").map((outcome) => outcome || Infinity))],
      longest: ["longest text first", (unit) => -Math.max(0, ...of(unit, "tokens"))],
    };
    if (index.kind === "answers") return { order: ["as in the split", null], differ: ["models that differ first", agreement], ...common };
    return {
      order: ["by step", null],
      latest: ["last step first", (unit) => -index.units.step[unit]],
      lowest: ["lowest mean reward first", (unit) => (unscored(unit) ? Infinity : mean(unit))],
      highest: ["highest mean reward first", (unit) => (unscored(unit) ? Infinity : -mean(unit))],
      spread: ["largest spread of rewards first", (unit) => (unscored(unit) ? Infinity : -spread(unit))],
      ...common,
    };
  }

  function recompute() {
    view = passing();
    const by = sorts()[state.sort][1];
    if (by) {
      const keys = new Map(view.rows.map((unit) => [unit, by(unit)]));
      view.rows.sort((a, b) => (keys.get(a) === keys.get(b) ? a - b : keys.get(a) < keys.get(b) ? -1 : 1));
    }
    const left = new Set(view.rows.map((unit) => index.units.key[unit]));
    wanted = state.key ?? wanted;
    state.key = left.has(wanted) ? wanted : view.rows.length ? index.units.key[view.rows[0]] : null;
    drawFilters();
    at("inner").style.height = `${view.rows.length * ROW}px`;
    drawChosen();
  }

  // ---- what people do ----

  const place = () => view.rows.findIndex((unit) => index.units.key[unit] === state.key);

  function choose(position) {
    state.key = index.units.key[view.rows[position]];
    drawChosen();
  }

  function move(by) {
    if (view.rows.length) choose(Math.min(view.rows.length - 1, Math.max(0, place() + by)));
  }

  function toggle(set, value) {
    if (!set.delete(value)) set.add(value);
  }

  function toggleColumn(k) {
    if (k >= index.columns.length || (state.columns.size === 1 && state.columns.has(k))) return;
    toggle(state.columns, k);
    drawListHead();
    recompute();
  }

  function toggleFilter(id, value) {
    const chosen = state.filters.get(id) || new Set();
    toggle(chosen, value);
    if (chosen.size) state.filters.set(id, chosen);
    else state.filters.delete(id);
    recompute();
  }

  function clearFilters() {
    asked++; // a search under way is of no use any more
    state.filters.clear();
    Object.assign(state, { text: "", from: null, to: null });
    at("search").value = "";
    found = null;
    recompute();
  }

  function toggleFilters() {
    const hidden = document.body.classList.toggle("no-filters");
    at("filter-button").setAttribute("aria-expanded", String(!hidden));
    if (!hidden) at("filters").querySelector("button.choice:not(:disabled)")?.focus();
  }

  function neighbour(by) {
    const lists = overview.sections.map((section) => section.id);
    const next = lists[lists.indexOf(state.list) + by];
    if (next !== undefined) guarded(() => openList(next));
  }

  async function search(text) {
    const mine = ++asked;
    state.text = text;
    const keys = text ? new Set(await source.search(state.list, text)) : null;
    if (mine !== asked) return; // another search has begun since
    found = keys;
    recompute();
  }

  // ---- drawing: above and beside ----

  const UNKNOWN = { name: "unknown", letter: "?", tone: "dim" };
  const outcome = (number) => overview.outcomes[number] || UNKNOWN;
  const toneOf = (name) => (overview.outcomes.find((one) => one.name === name) || UNKNOWN).tone;

  function drawTabs() {
    const parts = [];
    for (const [kind, title] of [["answers", "Answers"], ["rollouts", "Rollouts"]]) {
      const sections = overview.sections.filter((section) => section.kind === kind);
      if (sections.length) parts.push(make("span", null, title));
      for (const { id, title } of sections) {
        const open = () => guarded(() => openList(id));
        parts.push(button("button", { "aria-current": String(id === state.list), onclick: open }, title));
      }
    }
    at("lists").replaceChildren(...parts);
  }

  function drawNotes() {
    const notes = [...overview.notes, ...((index && index.notes) || [])];
    if (!notes.length) at("notes").replaceChildren();
    else if (notes.length === 1) at("notes").replaceChildren(make("p", null, notes[0]));
    else {
      const summary = make("summary", null, `${notes.length} things to know about this run`);
      at("notes").replaceChildren(make("details", null, summary, make("ul", null, notes.map((note) => make("li", null, note)))));
    }
  }

  function drawSorts() {
    const options = Object.entries(sorts()).map(([value, [title]]) => make("option", { value, selected: value === state.sort }, title));
    at("sort").replaceChildren(...options);
  }

  function drawListHead() {
    const answers = index.kind === "answers";
    const columns = index.columns.map((name, k) => {
      const shown = { "aria-pressed": String(state.columns.has(k)), title: `show or hide ${name}`, onclick: () => toggleColumn(k) };
      return button("button.column", shown, answers && k < 9 && make("kbd", null, String(k + 1)), name);
    });
    const head = make("div.columns", null, dim(answers ? "Models" : "Siblings"), columns);
    at("list-head").replaceChildren(head, make("p.count", { id: "count", role: "status" }));
  }

  function drawFilters() {
    const stepped = state.from !== null || state.to !== null;
    const active = state.filters.size > 0 || state.text !== "" || stepped;
    const clear = button("button.plain", { disabled: !active, onclick: clearFilters }, "clear ", make("kbd", null, "x"));
    const parts = [make("div.filters-head", null, make("b", null, "Filters"), clear)];
    if (index.kind === "rollouts") parts.push(make("fieldset", null, make("legend", null, "Steps"), stepRange()));
    for (const facet of view.facets) {
      const chosen = state.filters.get(facet.id) || new Set();
      if (facet.values.length < 2 && !chosen.size) continue;
      const choices = facet.values.map((value, k) => {
        const here = { role: "checkbox", "aria-checked": String(chosen.has(value)), disabled: !facet.counts[k] && !chosen.has(value) };
        here.onclick = () => toggleFilter(facet.id, value);
        return button("button.choice", here, make("span", null, words(value)), make("span.n", null, String(facet.counts[k])));
      });
      parts.push(make("fieldset", null, make("legend", null, facet.title), choices));
    }
    const box = at("filters");
    const controls = () => [...box.querySelectorAll("button, input")];
    const [scrolled, focused] = [box.scrollTop, controls().indexOf(document.activeElement)];
    box.replaceChildren(...parts);
    box.scrollTop = scrolled;
    if (focused >= 0) controls()[focused]?.focus();
    at("filter-button").classList.toggle("active", active);
  }

  function stepRange() {
    const field = (name, title) => {
      const changed = (event) => {
        state[name] = whole(event.target.value);
        recompute();
      };
      const value = state[name] === null ? "" : String(state[name]);
      return make("input", { type: "number", min: 0, value, placeholder: title, "aria-label": `${title} step`, onchange: changed });
    };
    return make("div.range", null, field("from", "first"), "–", field("to", "last"));
  }

  // ---- drawing: the list ----

  function drawChosen() {
    const position = Math.max(0, place());
    const scroller = at("scroller");
    const [top, height] = [position * ROW, scroller.clientHeight];
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW > scroller.scrollTop + height) scroller.scrollTop = top + ROW - height;
    const [left, all] = [view.rows.length, index.units.key.length];
    const what = index.kind === "answers" ? "items" : "groups";
    at("count").textContent = `${left ? `${position + 1} of ` : ""}${left} ${what}${left < all ? `, ${all} in all` : ""}`;
    drawRows();
    toAddress();
    drawDetail();
  }

  /** Only the rows that can be seen are in the page, however long the list is. */
  function drawRows() {
    const scroller = at("scroller");
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - SPARE);
    const last = Math.min(view.rows.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW) + SPARE);
    const rows = [];
    for (let position = first; position < last; position++) rows.push(drawRow(position));
    at("inner").replaceChildren(...(view.rows.length ? rows : [make("p.empty", null, emptiness())]));
  }

  const emptiness = () => (index.units.key.length ? NOTHING : "There is nothing in this list yet.");

  function drawRow(position) {
    const unit = view.rows[position];
    const { key, item, prompt, step } = index.units;
    const step_ = index.kind === "rollouts" && make("b", null, `step ${step[unit]} `);
    const marks = index.kind === "answers" ? squares(unit) : bars(unit);
    const line = make("div.line", null, make("span.name", null, step_, item[unit]), make("span.marks", null, marks));
    const style = { transform: `translateY(${position * ROW}px)` };
    const here = { role: "option", "aria-selected": String(key[unit] === state.key), style, onclick: () => choose(position) };
    return make("div.row", here, line, make("div.prompt", { dir: "auto" }, prompt[unit] || "(no prompt)"));
  }

  function squares(unit) {
    const here = new Map(recordsOf(unit).map((k) => [index.records.column[k], outcome(index.records.outcome[k])]));
    return ordered(state.columns).map((column) => {
      const name = index.columns[column];
      if (!here.has(column)) return make("i.square.none", { title: `${name}: no answer` });
      const { letter, tone, name: what } = here.get(column);
      return make(`i.square.${tone}`, { title: `${name}: ${what}` }, letter);
    });
  }

  function bars(unit) {
    const [low, high] = rewards;
    return recordsOf(unit).map((k) => {
      const reward = index.records.reward[k];
      const { tone, name } = outcome(index.records.outcome[k]);
      const height = reward === null ? 2 : Math.max(2, Math.round((20 * (reward - low)) / (high - low)));
      const title = `${name}, reward ${reward === null ? "none" : reward.toFixed(2)}`;
      return make(`i.bar.${tone}`, { title, style: { height: `${height}px` } });
    });
  }

  // ---- drawing: a row in full ----

  let drawing = 0;
  async function drawDetail() {
    const mine = ++drawing;
    const box = at("detail");
    const key = state.key;
    const say = (text) => box.replaceChildren(make("p.empty", null, text));
    if (key === null) return say(emptiness());
    let row = null;
    try {
      row = await full(key);
    } catch (error) {
      return mine === drawing && say(`This row cannot be read. ${error.message}`);
    }
    if (mine !== drawing) return; // another row was chosen since
    if (!row) return say("This row is not in the page.");
    const [top, left] = box.dataset.key === key ? [box.scrollTop, box.scrollLeft] : [0, 0];
    box.replaceChildren(itemCard(row), recordGrid(row));
    box.dataset.key = key;
    box.scrollTo(left, top);
    const next = view.rows[place() + 1];
    if (next !== undefined) full(index.units.key[next]).catch(() => null); // so that walking on is instant
  }

  function full(key) {
    if (!cache.has(key)) {
      const coming = source.row(state.list, key);
      coming.catch(() => cache.delete(key));
      cache.set(key, coming);
      if (cache.size > CACHED) cache.delete(cache.keys().next().value);
    }
    return cache.get(key);
  }

  /** Runs `[text, kind, hint]` of a text. Kinds are ours, from a closed set; all else is text. */
  const KINDS = new Set(["hidden", "cut", "right", "wrong", "invented", "unchecked"]);
  function runs(list) {
    return list.map(([text, kind, hint]) => (KINDS.has(kind) ? make(`mark.${kind}`, { title: hint || "" }, text) : text));
  }

  const textBox = (list, more = "") => make(`div.text${more}`, { dir: "auto" }, list.length ? runs(list) : "(empty)");
  const titled = (title, ...content) => [make("h4", null, title), ...content];

  function itemCard({ item, step }) {
    const facts = item.known ? known(item) : chip("not among the run's items", "warn");
    const head = make("header", null, make("h2", null, item.id), index.kind === "rollouts" && chip(`step ${step}`), facts);
    const asks = make("div.asks", { dir: "auto" }, item.prompt.length ? runs(item.prompt) : "(no prompt)");
    const reference = item.known && item.reference.length > 0;
    const answer = reference && make("details", null, make("summary", null, "Reference answer"), textBox(item.reference));
    const pictures = item.pictures.length > 0 && make("div.pictures", null, item.pictures.map(picture));
    const right = make("div.words", null, asks, item.known && due(item), answer);
    return make("section.item", null, head, make("div.ask", null, pictures, right));
  }

  function known({ harmful, category, modality, dataset, split, licence, twin }) {
    const harm = { true: chip("harmful request", "bad"), false: chip("benign request", "good") }[harmful] || chip("harm unknown");
    const risk = modality !== "none" && chip(`risk in ${modality === "joint" ? "the combination" : modality}`);
    const from = dataset && chip(dataset, "dim", `split ${split}, licence ${licence}`);
    return [harm, category && chip(category, "dim", "cell or category"), risk, from, twin && chip(`twin ${twin}`)];
  }

  function due({ expected, citations, harmful }) {
    const rule = (one) => make("div", null, make("b", null, breakable(one.name)), " ", dim(one.rule));
    const applies = citations.length ? citations.map(rule) : harmful === false ? "no policy" : "unknown";
    const behaviours = expected.length ? words(expected.join(" or ")) : "unknown";
    const lines = [["Expected", behaviours], ["Applies", applies]];
    return make("dl", null, lines.map(([name, told]) => [make("dt", null, name), make("dd", null, told)]));
  }

  function picture(name, k) {
    const enlarge = (event) => event.target.classList.toggle("large");
    const unseen = (event) => event.target.replaceWith(make("span.unseen", null, "a picture that cannot be shown"));
    const shown = { src: source.picture(name), alt: `picture ${k + 1} of the item`, title: "click to enlarge" };
    return make("img", { ...shown, onclick: enlarge, onerror: unseen });
  }

  // Records side by side: each is a column, and parts of one kind share a row.
  const PARTS = [
    ...["head", "reward", "threat", "named", "intent", "rewrite", "asked"],
    ...["think", "description", "assessment", "cited", "answer", "judges", "raw"],
  ];

  function recordGrid(row) {
    const shown = row.records.filter((record) => state.columns.has(record.column));
    const columns = shown.map((record) => parts(record, row.item));
    const style = { "grid-template-columns": `repeat(${shown.length}, minmax(var(--column), 1fr))` };
    const grid = make("section.grid", { style });
    const lines = PARTS.filter((name) => columns.some((column) => column.has(name)));
    lines.forEach((name, line) => {
      const last = line === lines.length - 1 ? ".last" : "";
      columns.forEach((column, k) => {
        const place = { "grid-row": line + 1, "grid-column": k + 1 };
        grid.append(make(`div.cell.${name}${last}`, { style: place }, column.get(name) || dim("–")));
      });
    });
    return grid;
  }

  function parts(record, item) {
    const answer = record.hops[record.hops.length - 1];
    const found = new Map([["head", head(record, answer, item)]]);
    if (record.reward) found.set("reward", reward(record.reward));
    for (const hop of record.hops) {
      for (const { id, title, text } of hop.blocks) found.set(id, id === "think" ? thinking(text) : titled(title, textBox(text)));
      const [place, title] = hop.seat === "rewriter" ? ["named", "Policy named"] : ["cited", "Citations"];
      if (hop.citations.length) found.set(place, titled(title, cites(hop.citations)));
    }
    if (record.asked) found.set("asked", titled("Prompt as asked", textBox(record.asked)));
    if (record.judges.length) found.set("judges", titled("Judges", record.judges.map(judge)));
    const raw = () => titled("As generated", record.hops.map((hop) => textBox(hop.raw, ".mono")));
    if (state.raw || record.hops.some((hop) => !hop.blocks.length)) found.set("raw", raw());
    return found;
  }

  function head(record, hop, item) {
    const number = index.kind === "answers" && record.column < 9 && make("kbd", null, String(record.column + 1));
    const chips = record.outcomes.map((name) => chip(words(name), toneOf(name)));
    if (record.same !== null) chips.push(chip(`same text as sibling ${record.same}`));
    const facts = record.facts.map(([name, value]) => `${name} ${words(value)}`).join(" · ");
    const departures = record.hops.flatMap((one) => one.problems.map(words));
    const problems = departures.length > 0 && make("p.problems", null, `format: ${departures.join(", ")}`);
    const shows = hop.behaviour && behaviour(hop.behaviour, item);
    return [make("h3", null, number, record.title), make("div.chips", null, chips), shows, problems, make("p.dim", null, facts)];
  }

  function behaviour({ shown, right, fake }, item) {
    const tone = right === null ? "dim" : right ? "good" : "bad";
    const sign = right === null ? "" : right ? " ✓" : " ✗";
    const expected = item.known && item.expected.length > 0 && !right && dim(`, expected ${words(item.expected.join(" or "))}`);
    const what = make(`b.${tone}`, null, (shown ? words(shown) : "no behaviour") + sign);
    return make("p.behaviour", null, "shows ", what, fake && " after pretending to refuse", expected);
  }

  /** Thinking opens and closes in all columns at once, so that it can be compared. */
  function thinking(text) {
    function toggled(event) {
      if (event.target.open === state.think) return;
      state.think = event.target.open;
      for (const other of at("detail").querySelectorAll(".cell.think details")) other.open = state.think;
      toAddress();
    }
    return make("details", { open: state.think, ontoggle: toggled }, make("summary", null, "Thinking"), textBox(text));
  }

  const SIGNS = new Map([["right", "✓"], ["wrong", "✗"], ["invented", "✗✗"], ["missing", "∅"], ["unchecked", "·"]]);
  function cites(list) {
    const lines = list.map(({ name, kind, means, title, rule, action }) => {
      const told = make("span", null, make("b", null, breakable(name)), " ", dim(`${means}${action ? `; demands ${words(action)}` : ""}`));
      const tone = SIGNS.has(kind) ? kind : "unchecked";
      return make(`li.${tone}`, { title: [title, rule].filter(Boolean).join(": ") }, make("i", null, SIGNS.get(tone)), told);
    });
    return make("ul.citations", null, lines);
  }

  function reward(told) {
    const number = (value, sign) => (value === null ? "–" : `${sign && value >= 0 ? "+" : ""}${value.toFixed(2)}`);
    const sum = (name, value, sign = false) => make("span", null, make("b", null, number(value, sign)), " ", dim(name));
    const truth = told.truth !== null && sum("truth", told.truth);
    const gate = told.gate && make("p.problems", null, `gate closed: ${words(told.gate)}`);
    const left = told.kept === false && make("p.problems", null, "left out of the loss");
    const sums = make("div.sums", null, sum("reward", told.reward), sum("advantage", told.advantage, true), truth);
    return [sums, gate, left, make("div.bars", null, told.components.map(component))];
  }

  /** A bar from zero to the score, in the range that the component is declared to have. */
  function component({ name, score, low, high, worse }) {
    const label = make("span.label", { title: name }, words(name));
    if (score === null) return [label, make("span.track.unscored", { title: "unscored" }), make("span.score.dim", null, "unscored")];
    const part = (value) => 100 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    const [zero, end] = [part(0), part(score)];
    const style = { left: `${Math.min(zero, end)}%`, width: `${Math.abs(end - zero)}%` };
    const fill = make(score < 0 || (worse && score > 0) ? "i.bad" : "i.good", { style });
    const track = make("span.track", { title: `from ${low} to ${high}` }, fill, make("i.zero", { style: { left: `${zero}%` } }));
    return [label, track, make("span.score", null, score.toFixed(2))];
  }

  function judge({ name, label, score, reason }) {
    const said = ` ${label || "no opinion"}${score === null ? "" : ` (${score.toFixed(2)})`}`;
    return make("div.judge", null, make("b", null, words(name)), said, reason.length > 0 && textBox(reason, ".dim"));
  }

  // ---- keys and other events ----

  const KEYS = [
    ["j, ↓", "next row"],
    ["k, ↑", "previous row"],
    ["g, G", "first, last row"],
    ["/", "search"],
    ["f", "show or hide filters"],
    ["x", "clear filters and search"],
    ["1 … 9", "show or hide a model"],
    ["t", "open or close thinking"],
    ["r", "show texts as generated"],
    ["[, ]", "previous, next list"],
    ["?", "this help"],
    ["Esc", "leave search or help"],
  ];
  const ABOUT =
    "The outcome of an answer is its judgement; that of a rollout is read off the components of its reward. " +
    "The address keeps what is shown: copy it to come back to it.";

  function drawHelp() {
    const keys = KEYS.map(([key, means]) => [make("kbd", null, key), make("span", null, means)]);
    const legend = overview.outcomes.map(({ name, letter, tone }) => [make(`i.square.${tone}`, null, letter), make("span", null, name)]);
    const close = button("button", { onclick: () => at("help").close() }, "Close");
    const parts = [make("h2", null, "Keys"), make("div.keys", null, keys), make("h2", null, "Outcomes"), make("div.keys", null, legend)];
    at("help").replaceChildren(...parts, make("p.dim", null, ABOUT), close);
  }

  function redraw(what) {
    state[what] = !state[what];
    toAddress();
    drawDetail();
  }

  function toSearch() {
    at("search").focus();
    at("search").select();
  }

  const ACTIONS = new Map([
    ["j", () => move(1)],
    ["ArrowDown", () => move(1)],
    ["k", () => move(-1)],
    ["ArrowUp", () => move(-1)],
    ["g", () => move(-Infinity)],
    ["G", () => move(Infinity)],
    ["/", toSearch],
    ["f", toggleFilters],
    ["x", clearFilters],
    ["t", () => redraw("think")],
    ["r", () => redraw("raw")],
    ["[", () => neighbour(-1)],
    ["]", () => neighbour(1)],
    ["?", () => at("help").showModal()],
    ...[..."123456789"].map((digit) => [digit, () => toggleColumn(Number(digit) - 1)]),
  ]);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !index || at("help").open) return;
    const typing = event.target.matches?.("input, select");
    if (typing && (event.key === "Escape" || (event.key === "Enter" && event.target === at("search")))) {
      event.preventDefault(); // Escape would empty the field
      event.target.blur();
    }
    if (typing || !ACTIONS.has(event.key)) return;
    event.preventDefault();
    ACTIONS.get(event.key)();
  });

  let waiting = null;
  at("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => guarded(() => search(event.target.value.trim())), 200);
  });
  at("sort").addEventListener("change", (event) => {
    state.sort = event.target.value;
    recompute();
  });
  at("filter-button").addEventListener("click", () => index && toggleFilters());
  at("help-button").addEventListener("click", () => at("help").showModal());

  let painting = false;
  at("scroller").addEventListener("scroll", () => {
    if (painting || !index) return;
    painting = true;
    requestAnimationFrame(() => {
      painting = false;
      drawRows();
    });
  });
  addEventListener("resize", () => index && drawRows());
  addEventListener("hashchange", () => guarded(fromAddress));

  async function guarded(call) {
    try {
      await call();
    } catch (error) {
      at("detail").replaceChildren(make("p.empty", null, `This cannot be shown. ${error.message}`));
    }
  }

  guarded(async () => {
    overview = await source.overview();
    drawHelp();
    drawNotes();
    if (overview.sections.length) await fromAddress();
    else at("detail").replaceChildren(make("p.empty", null, "There is nothing to look at in this run yet."));
    document.documentElement.dataset.ready = String(Math.round(performance.now())); // for those who measure how long that takes
  });
})();
