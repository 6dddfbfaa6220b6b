// A box to type in that offers series: arrows, Enter, Escape, or the mouse (the combobox pattern of WAI-ARIA).

import { fill, h } from "./dom.js";
import { t } from "./words.js";

const MOST = 200;
/** As it is compared: without capitals and accents. */
const bare = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

export class Picker {
  /** box: the input; list: where the offers stand; onPick: told the name. */
  constructor(box, list, onPick) {
    Object.assign(this, { box, list, onPick, names: [], offered: [], at: -1, chosen: "" });
    box.addEventListener("focus", () => { box.select(); this.offer(""); });
    box.addEventListener("click", () => this.list.hidden && this.offer(""));
    box.addEventListener("input", () => this.offer(box.value));
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("blur", () => this.close());
  }

  set(names, chosen) {
    this.names = names;
    this.choose(chosen);
  }

  choose(name) {
    this.chosen = name;
    if (document.activeElement !== this.box || this.list.hidden) this.box.value = name;
  }

  offer(typed) {
    const parts = bare(typed).split(/\s+/).filter(Boolean);
    this.offered = this.names.filter((name) => parts.every((part) => bare(name).includes(part))).slice(0, MOST);
    this.at = this.offered.length ? Math.max(0, this.offered.indexOf(this.chosen)) : -1;
    fill(this.list, this.offered.length ? this.offered.map((name, place) => this.line(name, place))
      : h("li", { class: "none", role: "option", "aria-disabled": "true" }, t("picker.none")));
    this.list.hidden = false;
    this.box.setAttribute("aria-expanded", "true");
    this.point();
  }

  line(name, place) {
    const pick = (event) => { event.preventDefault(); this.take(name); };
    return h("li", { role: "option", id: `offer-${place}`, "aria-selected": String(name === this.chosen), onmousedown: pick }, name);
  }

  point() {
    [...this.list.children].forEach((line, place) => line.classList.toggle("at", place === this.at));
    if (this.at < 0) this.box.removeAttribute("aria-activedescendant");
    else this.box.setAttribute("aria-activedescendant", `offer-${this.at}`);
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key in moves) {
      event.preventDefault();
      if (this.list.hidden) this.offer("");
      else this.at = Math.min(Math.max(this.at + moves[event.key], 0), this.offered.length - 1);
      this.point();
    } else if (event.key === "Enter" && !this.list.hidden && this.at >= 0) {
      event.preventDefault();
      this.take(this.offered[this.at]);
    } else if (event.key === "Escape") this.close();
  }

  take(name) {
    this.chosen = name;
    this.close();
    this.onPick(name);
  }

  close() {
    this.list.hidden = true;
    this.box.setAttribute("aria-expanded", "false");
    this.box.removeAttribute("aria-activedescendant");
    this.box.value = this.chosen;
  }
}
