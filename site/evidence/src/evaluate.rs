//! Answers to evidence. `loggia` hands in what it was told, `pages` renders what comes out.

use crate::answers::Answers;
use crate::binding::{Names, bind_drawing};
use crate::calls::Calls;
use crate::{Bound, Evidence, PageEvidence, Plan, ServiceEvidence, ServiceMap};
use crate::{drift, kpis, objectives, overlay, services, strips};
use document::{Book, Page};
use promql::Value;
use std::collections::BTreeMap;
use traces::ServiceGraph;

/// What the answers (in the order of [`Plan::questions`]) and the graphs prove about the book at
/// `now_ms`, milliseconds since 1970: `graph` over the plan's window, `observed` over
/// [`crate::DRIFT_WINDOW_S`]. Questions without an answer are shown as not asked yet.
pub fn evaluate(
    book: &Book,
    plan: &Plan,
    answers: &[Result<Value, String>],
    graph: &ServiceGraph,
    observed: &ServiceGraph,
    now_ms: i64,
) -> Evidence {
    evaluate_aged(book, plan, (answers, 0), graph, observed, now_ms)
}

/// The same with answers that were given some seconds ago, because now there are none: what they say is stale.
pub fn evaluate_aged(
    book: &Book,
    plan: &Plan,
    (answers, age_s): (&[Result<Value, String>], u32),
    graph: &ServiceGraph,
    observed: &ServiceGraph,
    now_ms: i64,
) -> Evidence {
    let answers = Answers::new(plan, answers, now_ms, age_s);
    let calls = Calls::new(graph, &book.config);
    let services = services::services(&book.config, plan, &answers, graph, &calls);
    let names = Names::new(&book.config, services.iter().map(|service| &service.id), graph);
    let pages = book.pages.iter().map(|page| {
        let kpis = page.kpis().map(|kpi| kpis::kpi(kpi, &book.config, plan, &answers)).collect();
        let page_evidence = PageEvidence { kpis, ..drawn(page, &names, &calls, &services) };
        (page.id.clone(), page_evidence)
    });
    Evidence {
        at: now_ms,
        window: plan.window.seconds(),
        pages: pages.collect(),
        drift: drift::drift(book, &names, &services, graph, observed),
        objectives: objectives::of_book(book, plan.kept_s)
            .iter()
            .map(|objective| objective.evidence(&answers))
            .collect(),
        map: ServiceMap::new(graph, &book.config, &services),
        alerts: crate::Alerts::default(),
        services,
        faults: Vec::new(),
    }
}

/// Strips and diagrams of a page.
fn drawn(
    page: &Page,
    names: &Names,
    calls: &Calls<'_>,
    services: &[ServiceEvidence],
) -> PageEvidence {
    let bound: BTreeMap<usize, BTreeMap<String, Bound>> =
        page.diagrams().map(|block| (block.index, bind_drawing(&block.drawing, names))).collect();
    let strips = page.sections.iter().filter_map(|section| {
        Some((section.id.clone(), strips::strip(section, &bound, services)?))
    });
    let diagrams =
        page.diagrams().map(|block| overlay::diagram(block, &bound[&block.index], calls, services));
    PageEvidence { strips: strips.collect(), kpis: Vec::new(), diagrams: diagrams.collect() }
}
