"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");

  // Theme: what the system says until somebody chooses.
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("pixelproof-theme"); } catch { return null; } };
  const store = (theme) => { try { localStorage.setItem("pixelproof-theme", theme); } catch { /* stays for this page */ } };
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const showTheme = () => button.setAttribute("aria-pressed", String(isDark()));
  const known = stored();
  if (known === "dark" || known === "light") root.dataset.theme = known;
  system.addEventListener("change", showTheme);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    store(root.dataset.theme);
    showTheme();
  });
  showTheme();

  // The report's document.
  document.getElementById("save").addEventListener("click", () => {
    const text = JSON.stringify(JSON.parse(document.getElementById("document").textContent), null, 2) + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "report.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  // Tables.
  const keyOf = (cell) => cell.dataset.key !== undefined ? cell.dataset.key : cell.textContent.trim();
  const order = (a, b) => {
    if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
    const x = Number(a), y = Number(b);
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x < y ? -1 : x > y ? 1 : 0;
    return a.localeCompare(b, undefined, { numeric: true });
  };
  const sortBy = (table, heads, place) => {
    const head = heads[place];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [keyOf(row.cells[place]), row]);
    rows.sort(([a], [b]) => (a === "" || b === "" ? order(a, b) : down ? order(b, a) : order(a, b)));
    body.append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      if (head.dataset.fixed !== undefined) return;
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.className = "sorter";
      sorter.append(...head.childNodes);
      sorter.addEventListener("click", () => sortBy(table, heads, place));
      head.append(sorter);
    });
  }

  // Which checks are shown.
  const filters = [...document.querySelectorAll("[data-show]")];
  const checks = [...document.querySelectorAll("#checks-table tbody tr")];
  for (const filter of filters) {
    filter.addEventListener("click", () => {
      for (const other of filters) other.setAttribute("aria-pressed", String(other === filter));
      const status = filter.dataset.show;
      for (const row of checks) row.hidden = status !== "all" && row.dataset.status !== status;
      const left = checks.filter((row) => !row.hidden).length;
      document.getElementById("shown").textContent = `${left} of ${checks.length} checks shown`;
    });
  }

  // Two pictures over each other.
  const names = { input: "input", output: "output", target: "target", error: "error map", outside: "marked pixels" };
  const chooser = (label, parts, chosen, changed) => {
    const wrap = document.createElement("label");
    const select = document.createElement("select");
    for (const [value, text] of parts) select.add(new Option(text, value, false, value === chosen));
    select.addEventListener("change", changed);
    wrap.append(`${label} `, select);
    return [wrap, select];
  };
  const comparison = (box) => {
    const images = Object.fromEntries(
      [...box.parentElement.querySelectorAll("img[data-part]")].map((image) => [image.dataset.part, image]));
    const width = images.output.width, height = images.output.height;
    const stage = document.createElement("div");
    const under = new Image(), over = new Image();
    const divide = document.createElement("input");
    stage.className = "stage";
    over.className = "over";
    under.alt = over.alt = "";
    Object.assign(divide, { type: "range", min: 0, max: 100, value: 50, step: 1 });
    const parts = Object.keys(images).map((part) => [part, names[part]]);
    const room = box.parentElement.clientWidth - 40;
    const zooms = [1, 2, 3, 4].filter((zoom) => zoom === 1 || zoom * width <= room).map((zoom) => [String(zoom), `${zoom}:1`]);
    const fitting = Math.max(1, Math.min(zooms.length, Math.floor(384 / width)));
    const draw = () => {
      under.src = images[right.value].src;
      over.src = images[left.value].src;
      const zoom = Number(size.value);
      box.style.setProperty("--wide", `${width * zoom}px`);
      stage.style.setProperty("--ratio", `${width} / ${height}`);
      move();
    };
    const move = () => {
      stage.style.setProperty("--at", `${divide.value}%`);
      divide.setAttribute("aria-label", `Divide between ${names[left.value]} on the left and ${names[right.value]} on the right, ${box.dataset.name}`);
      divide.setAttribute("aria-valuetext", `${divide.value} % ${names[left.value]}`);
    };
    const [leftLabel, left] = chooser("Left", parts, "input", draw);
    const [rightLabel, right] = chooser("Right", parts, "output", draw);
    const [sizeLabel, size] = chooser("Size", zooms, String(fitting), draw);
    const controls = document.createElement("div");
    controls.className = "controls";
    controls.append(leftLabel, rightLabel, sizeLabel);
    divide.addEventListener("input", move);
    stage.append(under, over, divide);
    box.append(stage, controls);
    draw();
  };
  document.querySelectorAll(".compare").forEach(comparison);
})();
