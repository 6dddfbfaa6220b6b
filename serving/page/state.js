// The line under the head: one glance says whether all is well. And the panels for what is missing or went wrong.

import { Refusal, Unreachable } from "./api.js";
import { fill, h, one, say } from "./dom.js";
import { t } from "./words.js";

export function state(kind, words) {
  const line = one("#state");
  line.className = `state ${kind}`;
  say(one("span", line), words);
}

/** What the newest answer means for the person on shift. */
export function stateOf(view) {
  const rung = view.told.rung ?? "champion";
  const count = view.warnings.length;
  if (view.past) return state("wait", t(view.again ? "state.again" : "state.past", { rung: t(`rung.${rung}`) }));
  if (rung !== "champion") {
    const reason = view.told.reason ? t(`reason.${view.told.reason}`) : "–";
    return state("warn", t("state.fallback", { rung: t(`rung.${rung}`), reason }));
  }
  return state("good", count ? t("state.warnings", { count }) : t("state.good"));
}

/** hollow: whether nothing was ever shown, so that the places for it stay away. */
export function trouble(problem, hollow = false) {
  const place = one("#trouble");
  if (problem === null) {
    place.hidden = true;
    return;
  }
  const away = problem instanceof Unreachable;
  const { title, detail, do: next, request_id: request } = problem instanceof Refusal ? problem.problem : {};
  const words = [title, away ? t("trouble.offline") : (detail ?? problem.message), next];
  fill(place, h("h2", {}, words[0] ?? t("trouble.title")), words.slice(1).filter(Boolean).map((text) => h("p", {}, text)),
    request ? h("p", { class: "small" }, `X-Request-ID ${request}`) : null);
  place.hidden = false;
  if (hollow) hide(true);
  state("bad", t(away ? "state.unreachable" : "state.trouble"));
}

function hide(whether) {
  for (const name of ["chart-card", "tiles", "why", "below"]) one(`#${name}`).hidden = whether;
}

/** Nothing is there yet: what to do, with the words of a command. */
export function empty(whether) {
  const place = one("#empty");
  place.hidden = !whether;
  hide(whether);
  if (!whether) return;
  fill(place, h("h2", {}, t("empty.series")), h("p", {}, t("empty.series_do")), h("pre", {}, t("empty.series_command")),
    h("p", {}, h("a", { href: "/docs" }, "/docs")));
}

export function warnings(told) {
  fill(one("#warnings"), told.length ? told.map((text) => h("li", {}, text)) : h("li", { class: "quiet" }, t("warnings.none")));
}
