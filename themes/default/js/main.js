// Starts what the page asks for: live values, following its source, the scroll spy, closer looks at diagrams.
import { diagrams } from "./diagram.js";
import { connect } from "./live.js";
import { spy } from "./spy.js";

spy();
diagrams();
if (document.body.dataset.events) connect(document.body.dataset.events);

// On small screens the sidebar is a popover: a link in it closes it.
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("#side a") : null;
  if (link && link.closest(":popover-open")) document.getElementById("side")?.hidePopover();
});
