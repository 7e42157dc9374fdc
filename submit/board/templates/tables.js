"use strict";
// Sorts tables by a click on a heading, and hides the rows of other teams. Without this file all is still there.
(() => {
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const key = (row, column) => {
    const cell = row.cells[column];
    const isNumber = cell.hasAttribute("data-sort") || cell.classList.contains("num");
    const text = cell.dataset.sort ?? cell.textContent.trim();
    if (!isNumber) return text;
    if (text === "inf" || text === "-inf") return text === "inf" ? Infinity : -Infinity;
    const number = Number.parseFloat(text);
    return Number.isNaN(number) ? null : number;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
  for (const heading of document.querySelectorAll("th[data-sorts]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const body = heading.closest("table").tBodies[0];
      const column = heading.cellIndex;
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      const numbers = rows.some(([value]) => typeof value === "number");
      const before = heading.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numbers && column > 0;
      const known = rows.filter(([value]) => value !== null);
      const unknown = rows.filter(([value]) => value === null);
      known.sort((a, b) => compare(a[0], b[0]) * (down ? -1 : 1));
      for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...[...known, ...unknown].map(([, row]) => row));
    });
  }
  for (const label of document.querySelectorAll("label.filter")) {
    label.hidden = false;
    const field = label.querySelector("input");
    const sections = [...document.querySelectorAll("section.team")];
    const rows = sections.length ? [] : [...document.querySelectorAll("section.ranking tbody tr")];
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLocaleLowerCase();
      const has = (text) => text.toLocaleLowerCase().includes(wanted);
      for (const section of sections) section.hidden = !has(section.dataset.team);
      for (const row of rows) row.hidden = !has(row.querySelector("th").textContent);
    });
  }
})();
