/* What only the browser can know: the address line, the theme it prefers, whether anyone looks, how old the data is. */
(function () {
  "use strict";

  /* The address line is the state. A control writes its parameter; what equals the default is left out. */
  const write = (changes, replace) => {
    const query = new URLSearchParams(window.location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === "") query.delete(name);
      else query.set(name, String(value));
    }
    const text = query.toString();
    const search = text ? "?" + text : "";
    if (search === window.location.search) return;
    history[replace ? "replaceState" : "pushState"](null, "", window.location.pathname + search);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
  };
  const same = () => window.dash_clientside.no_update;
  const asked = (search, name, standard) => new URLSearchParams(search || "").get(name) || standard;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const scheme = (search) => {
    const wanted = asked(search, "theme", "auto");
    return wanted === "auto" ? (dark.matches ? "dark" : "light") : wanted === "dark" ? "dark" : "light";
  };
  const paint = (name) => document.documentElement.setAttribute("data-mantine-color-scheme", name);
  paint(scheme(window.location.search));

  const range = (search) => {
    const from = asked(search, "from", "now-24h");
    return from.startsWith("now-") ? from.slice(4) : "custom";
  };
  const age = (seconds) =>
    seconds < 90 ? Math.round(seconds) + " s" : seconds < 5400 ? Math.round(seconds / 60) + " min"
      : seconds < 129600 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " days";

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    arterial: {
      /* Which page to draw, once it is known in which theme. */
      route: (path) => ({ path: path, search: window.location.search,
        scheme: scheme(window.location.search), width: window.innerWidth }),

      /* Controls to address. Their ids name the parameter and its default. */
      commit: (values, ids) => {
        const changes = {};
        let replace = true;
        ids.forEach((id, i) => {
          const value = values[i];
          if (value === null || value === undefined) { changes[id.name] = null; return; }
          if (id.name === "range") {
            if (value === "custom") return;
            changes.from = value === id.default ? null : "now-" + value;
            changes.to = null;
          } else changes[id.name] = String(value) === id.default ? null : value;
        });
        const named = window.dash_clientside.callback_context.triggered_id;
        if (named && named.name !== "t") replace = false;
        if (window.dash_clientside.callback_context.triggered.length !== 1) return same();
        const only = named && named.name;
        if (!only) return same();
        const mine = only === "range" ? ["from", "to"] : [only];
        const chosen = {};
        mine.forEach((name) => { if (name in changes) chosen[name] = changes[name]; });
        write(chosen, replace);
        return same();
      },

      /* Address to controls: back, forward and links. */
      follow: (search, ids, values) => {
        ids.forEach((id, i) => {
          const wanted = id.name === "range" ? range(search) : asked(search, id.name, id.default);
          if (wanted === "") return; /* the page chooses by itself */
          const now = values[i] === null || values[i] === undefined ? id.default : String(values[i]);
          if (wanted !== now)
            window.dash_clientside.set_props(id, { value: typeof values[i] === "number" ? Number(wanted) : wanted });
        });
        return same();
      },

      go: (changes) => { if (changes) write(changes, false); return same(); },

      theme: (search) => { const name = scheme(search); paint(name); return [name, name]; },

      /* How often to ask the server: as the address says, never while nobody looks. */
      pace: (search, seen) => {
        const seconds = Number(asked(search, "refresh", "30"));
        return [Math.max(seconds, 1) * 1000, !(seconds > 0) || seen === false];
      },

      age: (tick, version, search) => {
        if (!version || !version.newest) return ["No readings yet", "none"];
        const seconds = Math.max((Date.now() + (version.skew || 0)) / 1000 - version.newest, 0);
        const paused = asked(search, "refresh", "30") === "0";
        const level = seconds > 3600 ? "lost" : seconds > 900 ? "late" : "fresh";
        return [(paused ? "Paused · data " : "Data ") + age(seconds) + " old", level];
      },

      /* Play: one step ahead, from the end to the beginning. */
      play: (clicks, disabled) => {
        const running = disabled !== false;
        return [!running, running ? "icon icon-pause" : "icon icon-play", running ? "Pause" : "Play"];
      },
      step: (n, value, lowest, highest) => (n ? (value + 2 > highest ? lowest : value + 2) : same()),

      pick: (click) => {
        const point = click && click.points && click.points.find((p) => p.customdata);
        if (point) write({ sensor: [].concat(point.customdata)[0] }, false);
        return same();
      },
    },
  });

  document.addEventListener("visibilitychange", () => {
    if (window.dash_clientside.set_props) window.dash_clientside.set_props("seen", { data: !document.hidden });
  });
  dark.addEventListener("change", () => {
    if (asked(window.location.search, "theme", "auto") !== "auto") return;
    window.dash_clientside.set_props("system", { data: dark.matches ? "dark" : "light" });
  });

  /* Plotly resizes the map on every update, and MapLibre then drops the drag in progress: only pass on a real change. */
  const tame = (map) => {
    if (map.arterialTamed) return;
    map.arterialTamed = true;
    const resize = map.resize.bind(map);
    let width = -1, height = -1;
    map.resize = (event) => {
      const box = map.getContainer();
      if (box.clientWidth === width && box.clientHeight === height) return map;
      width = box.clientWidth; height = box.clientHeight;
      return resize(event);
    };
  };
  new MutationObserver(() => {
    document.querySelectorAll(".js-plotly-plot").forEach((plot) => {
      const sub = plot._fullLayout && plot._fullLayout.map && plot._fullLayout.map._subplot;
      if (sub && sub.map) tame(sub.map);
    });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
