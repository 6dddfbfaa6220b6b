// The forecast as a file, and a forecast for the record.

import * as api from "./api.js";
import { all, one, say } from "./dom.js";
import { t } from "./words.js";

const plain = (name) => name.normalize("NFKD").replace(/\p{M}/gu, "").replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 60);

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function trying(button, work) {
  button.disabled = true;
  try {
    say(one("#done"), await work());
  } catch (problem) {
    say(one("#done"), t("files.failed", { why: problem.message }));
  } finally {
    button.disabled = false;
  }
}

/** viewNow: what is shown; onIssue: told once a forecast was recorded. */
export function offerFiles(viewNow, onIssue) {
  for (const button of all("[data-file]")) {
    button.addEventListener("click", () => trying(button, async () => {
      const view = viewNow();
      const name = `${plain(view.title)}_${view.day}.${button.dataset.ending}`;
      save(await api.file({ body: view.body, id: view.ledger }, button.dataset.file), name);
      return t("files.saved", { name });
    }));
  }
  const issue = one("#issue");
  issue.addEventListener("click", () => trying(issue, async () => {
    const told = await api.forecast({ ...viewNow().body, store: true });
    onIssue();
    return told.recorded ? t("files.issued", { id: told.id }) : t("files.not_recorded", { why: told.warnings.join(" ") });
  }));
}
