// Starts what the page asks for. Each module listens once; what depends on the page's elements starts
// anew whenever others take their place.
import { onArrive } from "./arrive.js";
import { charting } from "./chart.js";
import { code } from "./code.js";
import { diagrams, visited } from "./diagram.js";
import { explore } from "./explore.js";
import { headings } from "./headings.js";
import { keyboard, shortcut } from "./keys.js";
import { connect, follow, reindex } from "./live.js";
import { lost } from "./lost.js";
import { scatter } from "./scatter.js";
import { settleSide, sidebar, toggleSide } from "./side.js";
import { moments } from "./moment.js";
import { moved } from "./moved.js";
import { spy } from "./spy.js";
import { steps } from "./steps.js";
import { tail } from "./tail.js";
import { terms } from "./terms.js";
import { forget, go, travel } from "./travel.js";
import { waterfall } from "./waterfall.js";
import { zone } from "./zone.js";

moved();
document.documentElement.dataset.modules = "";
keyboard();
sidebar();
headings();
terms();
onArrive(() => code());
diagrams();
connect();
moments();
travel();
explore();
charting();

onArrive(spy);
onArrive(settleSide);
onArrive(lost);
onArrive((how) => how === "refresh" && (forget(), reindex()));
// The search is no module, so that it also runs where a book is opened from a file.
onArrive((how) => how !== "load" && document.dispatchEvent(new CustomEvent("loggia:arrive", { detail: how })));
onArrive((how) => how === "visit" && (visited(), follow()));

/** @param {"prev" | "next"} rel @returns {HTMLAnchorElement | null} */
const beside = (rel) => document.querySelector(`.beside a[rel=${rel}]`);
/** @param {string} selector @returns {HTMLElement | null} */
const button = (selector) => document.querySelector(selector);

shortcut(["/", "Mod+k"], "Search", () => button("[data-search-open]")?.click(), { when: () => !!button("[data-search-open]:not([hidden])") });
shortcut("ArrowLeft", "Previous page", () => go(beside("prev")?.href ?? ""), { group: "Book", when: () => !!beside("prev") });
shortcut("ArrowRight", "Next page", () => go(beside("next")?.href ?? ""), { group: "Book", when: () => !!beside("next") });
shortcut("t", "Light, dark or as the system says", () => button("#mode")?.click());
shortcut("s", "Show or hide the sidebar", toggleSide);
shortcut("e", "Edit this page", () => button("a[data-edit]")?.click(), { group: "Book", when: () => !!button("a[data-edit]") });
steps();
waterfall();
scatter();
tail();
zone();
